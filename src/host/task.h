/* A task under way. */
#ifndef COPAL_HOST_TASK_H
#define COPAL_HOST_TASK_H

#include "host.h"

/** What one to a group has to know besides. */
typedef struct {
    struct copal__rest_t *rests; /* answers that are being fetched whole */
    size_t held;                 /* octets of all of them */
    bool over;                   /* nobody else will answer */
    bool *gone;                  /* set when the task is dropped; NULL: nobody wants to know */
} copal__crowd_t;

/** The host's copy of what was asked for. */
struct copal__kept_t {
    copal_ask_t ask; /* borrows from what follows */
    copal_peer_t to;
    copal_uri_t uri;
    copal__crowd_t crowd;
    uint8_t octets[];
};

/** It is over, or never began: what the host keeps of it goes. */
void copal__task_drop(copal_task_t *task);
/** Tells of a response; if that is the last, the task is dropped before. */
void copal__task_tell(copal_task_t *task, const copal_response_t *response);

/** crowd.c: takes what comes from a group. */
void copal__crowd_receive(copal_receiver_t *self, const copal_response_t *response);
/** Ends what is still being fetched. */
void copal__crowd_drop(copal_task_t *task);

#endif

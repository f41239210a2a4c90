/* Long answers that cannot be made again (RFC 7959 section 2.7): to requests with effects, and to a FETCH whose body came
 * by Block1. They are kept whole, so that the blocks behind the first can be asked for. */
#ifndef COPAL_EXCHANGE_REST_H
#define COPAL_EXCHANGE_REST_H

#include "../messaging/memory.h"
#include "copal/endpoint.h"

/** One answer; its octets stand apart, the options behind the payload. */
typedef struct {
    uint64_t key;      /* of what its request and those for its blocks have in common */
    uint64_t peer;     /* hash */
    copal_time_t last; /* when a block of it was asked for */
    uint32_t size;     /* octets of the payload */
    uint16_t options;  /* octets of the options */
    uint16_t number;   /* of the last of them */
    uint8_t code;      /* 0: it is free, or being written */
    bool open;         /* it is being written, and stays */
} copal__rest_t;

typedef struct {
    copal__rest_t *rests;
    uint8_t *octets;
    uint32_t capacity, size; /* how many; octets of each */
} copal__rests_t;

/** Where an answer that is being written goes if it turns out long. All zero: it need not be kept. */
typedef struct {
    copal_spill_t spill; /* first, so that a writer's call leads back here; `take` is NULL: nothing is to be kept */
    copal_endpoint_t *endpoint;
    const copal_call_t *call; /* of which peer and key are not computed yet; NULL: they are */
    uint64_t peer, key;
    copal__rest_t *rest; /* that is being written; NULL: none */
} copal__keeping_t;

void copal__rests_lay(copal__rests_t *t, copal__carver_t *carver, uint32_t capacity, uint32_t size);

/** Begins to keep the answer to `call`, if that is what it takes. */
void copal__keeping_begin(copal__keeping_t *k, const copal_call_t *call);
/** The answer will be written later, when the call is gone. */
void copal__keeping_move(copal__keeping_t *to, copal__keeping_t *from);
/** Whether this answer's blocks can be asked for, if it is cut to smaller ones than it has. */
bool copal__keeping_reaches(copal__keeping_t *k, copal_writer_t *w);
/** All of the answer was written, and nothing of the endpoint's added: keeps it if it has more than one block. */
void copal__keeping_end(copal__keeping_t *k, const copal_writer_t *w);
/** What was written so far is of no use. */
void copal__keeping_drop(copal__keeping_t *k);

/** The answer that `call` asks for a block of; NULL: it is not kept, or not any more. */
copal__rest_t *copal__rest_find(const copal_call_t *call);
/** Answers with that block. */
void copal__rest_reply(copal_call_t *call, copal__rest_t *rest);

#endif

/* Looks at what the host has counted, once a second, and tells what begins and what is over. */
#ifndef COPAL_TOOL_WATCH_H
#define COPAL_TOOL_WATCH_H

#include "copal/host.h"

enum { TOOL_CONDITIONS = 5 };

/** What it saw the last time; all 0 at first, but for the host. */
typedef struct {
    copal_host_t *host;
    struct {
        uint64_t last, before; /* the counter's value, and that from before it began */
        unsigned quiet;        /* seconds left until it is over; 0: it is */
    } states[TOOL_CONDITIONS];
} tool_watch_t;

/** A second is over. As copal_host_config_t.tick; `watch` is a tool_watch_t. */
void tool_watch_tick(void *watch);

#endif

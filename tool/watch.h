/* Looks at what the host has counted, once a second, and tells what begins and what is over. */
#ifndef COPAL_TOOL_WATCH_H
#define COPAL_TOOL_WATCH_H

#include "copal/host.h"

typedef struct tool_watch_t tool_watch_t;

/** Begins to look, in a thread of its own; NULL after saying why it cannot. The host outlives it. */
tool_watch_t *tool_watch_open(copal_host_t *host);
/** NULL is allowed. */
void tool_watch_close(tool_watch_t *watch);

#endif

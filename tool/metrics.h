/* What the server has counted, by HTTP. */
#ifndef COPAL_TOOL_METRICS_H
#define COPAL_TOOL_METRICS_H

#include "tool.h"

typedef struct tool_metrics_t tool_metrics_t;

/** Serves /metrics at `where`, in a thread of its own, and prints that. 0, or an exit status after saying what is wrong. */
int tool_metrics_open(const tool_command_t *command, tool_metrics_t **metrics, copal_host_t *host, const char *where);
/** Before the host is closed. NULL is allowed. */
void tool_metrics_close(tool_metrics_t *metrics);

#endif

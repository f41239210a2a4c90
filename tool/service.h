/* What a service manager such as systemd and `copal serve` tell each other. */
#ifndef COPAL_TOOL_SERVICE_H
#define COPAL_TOOL_SERVICE_H

#include "tool.h"

/** A bound socket that was handed over. */
typedef struct {
    int fd;
    bool plain; /* it is named "coap": to be served without DTLS, whatever the others are */
} tool_socket_t;

/** Those that this process was started with, LISTEN_FDS says; how many, at most `most`. */
size_t tool_service_sockets(tool_socket_t *sockets, size_t most);

/** Tells the manager, where there is one: "READY=1", "RELOADING=1", "STOPPING=1". */
void tool_service_tell(const char *state);

#endif

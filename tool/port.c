/* A socket of `copal bench`: a host of its own, that asks one peer, so each has message IDs and a session of its own. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"
#include "copal/counters.h"

#include <errno.h>
#include <stdlib.h>

enum {
    BASE = 256 << 10, /* octets of memory, touched as they are used */
    SPARE = 2,        /* requests beside those outstanding: the ping */
    BATCH = 64,
    PATIENCE = 30 * 1000, /* milliseconds for a handshake without progress */
};

/* NSTART and PROBING_RATE (RFC 7252 section 4.7) give way to what was typed: who asks for so many outstanding means so many. */
static copal_host_config_t config_for(const tool_bench_t *bench)
{
    const uint32_t requests = (uint32_t)bench->outstanding + SPARE;
    return (copal_host_config_t){
        .memory = BASE + (size_t)requests * 4096,
        .client = {.requests = requests, .counters = 1, .batch = requests < BATCH ? requests : BATCH},
        .timing = {.nstart = requests, .probing_rate = UINT32_MAX},
        .dtls = bench->request.ask.credentials ? tool_dtls() : NULL,
        .client_dtls.handshake_timeout = PATIENCE,
    };
}

tool_port_t *tool_port_open(const tool_bench_t *bench)
{
    const copal_host_config_t config = config_for(bench);
    tool_port_t *port = calloc(1, sizeof *port);
    errno = 0;
    if (port && copal_host_open(&port->host, &config) < 0) {
        free(port);
        return NULL;
    }
    if (port) {
        port->fd = -1;
        port->ready = !bench->request.ask.credentials;
    }
    return port;
}

static void take_pong(copal_receiver_t *self, const copal_response_t *response)
{
    tool_port_t *port = (tool_port_t *)self;
    const char *problem = copal_host_problem(port->host);
    snprintf(port->problem, sizeof port->problem, "%s", problem ? problem : "");
    port->connecting = false;
    port->status = response->status;
    port->ready = response->status == 0;
}

int tool_port_connect(tool_port_t *port, const tool_bench_t *bench)
{
    copal_ask_t ping = {.uri = bench->request.ask.uri,
                        .to = bench->request.ask.to,
                        .ping = true,
                        .credentials = bench->request.ask.credentials,
                        .timeout = bench->request.ask.timeout};
    port->receiver.receive = take_pong;
    const int status = copal_host_request(port->host, &ping, &port->receiver, NULL);
    port->connecting = status >= 0;
    return status < 0 ? status : 0;
}

void tool_port_find_socket(tool_port_t *port)
{
    int descriptors[2]; /* the first wakes it, which nobody does here */
    if (port->fd < 0 && copal_host_descriptors(port->host, descriptors, 2) > 1)
        port->fd = descriptors[1];
}

uint64_t tool_port_retransmitted(const tool_port_t *port)
{
    copal_host_counters_t counters;
    copal_host_counters(port->host, &counters);
    return counters.client.retransmitted;
}

void tool_port_close(tool_port_t *port, const tool_bench_t *bench)
{
    tool_close_client(&bench->request, port->host);
    free(port);
}

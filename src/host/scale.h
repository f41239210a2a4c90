/* How a host's memory is laid out. */
#ifndef COPAL_HOST_SCALE_H
#define COPAL_HOST_SCALE_H

#include "batch.h"
#include "copal/host.h"

typedef struct {
    copal_host_t *host;
    void *server, *client, *tree;
    size_t server_size, client_size, tree_size;
    void *server_dtls, *client_dtls; /* where there is DTLS */
    size_t server_dtls_size, client_dtls_size;
    copal__batch_t batch;
} copal__layout_t;

/** Lays out all of a host, its own struct first, for a config whose limits are scaled. */
void copal__host_lay(copal__layout_t *layout, copal__carver_t *carver, const copal_host_config_t *config);

#endif

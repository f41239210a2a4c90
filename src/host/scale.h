/* How a host's memory is laid out. */
#ifndef COPAL_HOST_SCALE_H
#define COPAL_HOST_SCALE_H

#include "worker.h"

typedef struct {
    void *server, *dtls; /* dtls: where there is any */
    copal__batch_t batch;
} copal__place_of_work_t;

typedef struct {
    copal_host_t *host;
    copal__worker_t *workers;
    void *client, *client_dtls, *tree;
    size_t server_size, server_dtls_size, client_size, client_dtls_size, tree_size;
    copal__place_of_work_t places[COPAL__WORKERS];
} copal__layout_t;

/** Lays out all of a host, its own struct first, for a config whose limits are scaled. */
void copal__host_lay(copal__layout_t *layout, copal__carver_t *carver, const copal_host_config_t *config);

#endif

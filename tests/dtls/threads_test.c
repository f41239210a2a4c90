#include "pair.h"

#include <pthread.h>
#include <stdlib.h>

/* Handshakes of several threads at once by the same credentials, as the workers of a host have them. */

enum { THREADS = 4, HANDSHAKES = 25 };

typedef struct {
    pair_t pair; /* its credentials are everybody's */
    unsigned agreed;
} worker_t;

static void *shake_often(void *state)
{
    worker_t *worker = state;
    pair_t *pair = &worker->pair;
    for (int i = 0; i < HANDSHAKES; i++) {
        pair->head = pair->tail = 0;
        for (int end = 0; end < ENDS; end++) {
            pair->ends[end].status = COPAL__HANDSHAKE_GOES_ON;
            pair->ends[end].sent = 0;
        }
        pair_shake(pair, "host.example");
        if (pair_settled(pair) &&
            memcmp(&pair->ends[CLIENT].keys, &pair->ends[SERVER].keys, sizeof(copal__keys_t)) == 0)
            worker->agreed++;
    }
    return NULL;
}

static void threads_share_credentials(void **state)
{
    (void)state;
    const copal_credentials_config_t asks = {.key = copal_text("the key"), .identity = copal_text("sensor")};
    const copal_credentials_config_t answers = {.server = true, .key = copal_text("the key")};
    EACH_PAIR(client, server)
    {
        pthread_t threads[THREADS];
        worker_t *workers = calloc(THREADS, sizeof *workers);
        pair_t shared;
        pair_make(&shared, client, &asks, server, &answers);
        for (int i = 0; i < THREADS; i++) {
            workers[i].pair = shared;
            for (int end = 0; end < ENDS; end++)
                workers[i].pair.ends[end].pair = &workers[i].pair;
            check_equal(pthread_create(&threads[i], NULL, shake_often, &workers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(threads[i], NULL);
            check_equal(workers[i].agreed, HANDSHAKES);
        }
        pair_free(&shared);
        free(workers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_credentials)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

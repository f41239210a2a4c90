/* Lets the tests of the host run with any number of workers: where a test says nothing of them, the environment does. */
#include "copal/host.h"

#include <stdlib.h>

int __real_copal_host_open(copal_host_t **host, const copal_host_config_t *config);
int __wrap_copal_host_open(copal_host_t **host, const copal_host_config_t *config);

/* Linked in place of copal_host_open (--wrap). Memory that a test gives is that of one worker. */
int __wrap_copal_host_open(copal_host_t **host, const copal_host_config_t *config)
{
    const char *workers = getenv("COPAL_TEST_WORKERS");
    copal_host_config_t with = config ? *config : (copal_host_config_t){0};
    if (workers && with.workers == 0) {
        with.workers = (uint32_t)strtoul(workers, NULL, 10);
        with.memory *= with.workers;
    }
    return __real_copal_host_open(host, &with);
}

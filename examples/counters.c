/* A server that tells what it has received, refused and lost: to whoever asks for it, and each minute itself.
 *
 *     $ build/examples/counters 5683 &
 *     $ build/copal get coap://localhost/counters
 */
#include "copal/counters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void print(const copal_host_counters_t *counters)
{
    copal_count_t count;
    for (size_t i = 0; copal_counters_at(counters, i, &count); i++)
        if (count.value)
            printf("%s %s: %" PRIu64 " (%s)\n", count.side, count.name, count.value, count.text);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (copal_host_open(&host, NULL) < 0 || copal_host_listen(host, "::", port, &port) < 0 ||
        copal_host_add_counters(host, "counters", NULL) < 0 || copal_host_start(host) < 0) {
        perror("counters");
        return 1;
    }
    printf("listening on port %u\n", (unsigned)port);
    for (;;) {
        copal_host_counters_t counters;
        copal_host_counters(host, &counters);
        print(&counters);
        sleep(60);
    }
}

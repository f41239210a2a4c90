/* The host's client: ask PORT OUTSTANDING SECONDS asks 127.0.0.1:PORT by confirmable GETs, so many of them under way at any
 * time, and prints how many were answered in a second. What comes within the first 300 ms does not count. NSTART gives way; all
 * else is as it comes. */
#define _POSIX_C_SOURCE 200809L
#include "common.h"
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 1024, WARM_UP_MS = 300 };

static copal_host_t *host;
static copal_peer_t server;
static copal_receiver_t receiver;
static unsigned long answers, failed;
static unsigned under_way, wanted;

static void ask(void)
{
    const copal_ask_t what = {.to = &server};
    if (copal_host_request(host, &what, &receiver, NULL) < 0) {
        fprintf(stderr, "ask: a request cannot be sent\n");
        exit(1);
    }
    under_way++;
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    (void)self;
    under_way--;
    answers++;
    failed += !response->message || response->message->code != COPAL_CONTENT;
    if (under_way < wanted)
        ask();
}

static void run_until(int64_t end)
{
    while (now_ms() < end)
        if (copal_host_step(host, 100) < 0) {
            perror("ask");
            exit(1);
        }
}

int main(int argc, char **argv)
{
    const unsigned outstanding = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
    if (outstanding < 1 || outstanding > MOST) {
        fprintf(stderr, "usage: ask PORT OUTSTANDING SECONDS; 1 to %d outstanding\n", MOST);
        return 2;
    }
    const copal_host_config_t config = {.timing = {.nstart = outstanding}, .client = {.requests = MOST + 1}};
    receiver.receive = receive;
    if (copal_peer_from_text(&server, "127.0.0.1", (uint16_t)atoi(argv[1]), false) < 0 || copal_host_open(&host, &config) < 0) {
        perror("ask");
        return 1;
    }
    for (wanted = outstanding; under_way < wanted;)
        ask();
    run_until(now_ms() + WARM_UP_MS);
    const unsigned long before = answers;
    const int64_t since = now_ms();
    run_until(since + (int64_t)(atof(argv[3]) * 1000));
    printf("%.0f answers/s of %lu, %lu failed\n", (double)(answers - before) * 1000 / (double)(now_ms() - since), answers, failed);
    copal_host_close(host);
    return failed > 0;
}

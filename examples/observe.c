/* A client that is told of changes: prints what a URI names, and again each time that it changes.
 *
 *     $ build/examples/observe coap://localhost/temperature
 */
#include "copal/host.h"

#include <stdio.h>

typedef struct {
    copal_receiver_t receiver; /* first, so that its address is the observer's */
    copal_host_t *host;
    int status;
} observer_t;

/* Called for each state. A server that does not answer any more is asked again until it does, which is told here, too. */
static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    observer_t *observer = (observer_t *)self;
    const copal_message_t *message = response->message;
    if (message)
        printf("%u.%02u %.*s\n", COPAL_CODE_CLASS(message->code), COPAL_CODE_DETAIL(message->code),
               (int)message->payload.size, (const char *)message->payload.data);
    else
        fprintf(stderr, "observe: %s\n", copal_error_text(response->status));
    fflush(stdout);
    if (!response->ended)
        return;
    observer->status = message ? 1 : 3; /* an error, or a resource that cannot be observed; no answer at all */
    copal_host_stop(observer->host);
}

int main(int argc, char **argv)
{
    observer_t observer = {.receiver = {receive}};
    copal_ask_t ask = {.uri = argc > 1 ? argv[1] : "coap://localhost/temperature", .observe = true};
    if (copal_host_open(&observer.host, NULL) < 0)
        return 1;
    int status = copal_host_request(observer.host, &ask, &observer.receiver, NULL);
    if (status < 0)
        fprintf(stderr, "observe: %s\n", copal_error_text(status));
    else
        copal_host_run(observer.host);
    copal_host_close(observer.host);
    return status < 0 ? 2 : observer.status;
}

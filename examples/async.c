/* An asynchronous client: several requests are on their way at once, and each answer is shown as it comes.
 *
 *     $ build/examples/async coap://localhost/greeting coap://localhost/time
 */
#include "copal/host.h"

#include <stdio.h>

enum { MOST = 16 };

/* What a request is about; the receiver stands first, so that a pointer to it is a pointer to this. */
typedef struct {
    copal_receiver_t receiver;
    const char *uri;
    int *open;
} job_t;

static void show(copal_receiver_t *self, const copal_response_t *response)
{
    job_t *job = (job_t *)(void *)self;
    --*job->open;
    if (response->status < 0) {
        printf("%s: %s\n", job->uri, copal_error_text(response->status));
        return;
    }
    const copal_message_t *m = response->message;
    printf("%s: %u.%02u %.*s\n", job->uri, COPAL_CODE_CLASS(m->code), COPAL_CODE_DETAIL(m->code), (int)m->payload.size,
           (const char *)m->payload.data);
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    job_t jobs[MOST];
    int open = 0;
    if (argc < 2 || argc > MOST + 1) {
        fprintf(stderr, "usage: async URI...: one to %d of them\n", MOST);
        return 2;
    }
    if (copal_host_open(&host, NULL) < 0)
        return 1;
    for (int i = 1; i < argc; i++) {
        job_t *job = &jobs[i - 1];
        *job = (job_t){{show}, argv[i], &open};
        int id = copal_host_request(host, &(copal_ask_t){.uri = argv[i]}, &job->receiver, NULL);
        if (id < 0)
            printf("%s: %s\n", argv[i], copal_error_text(id));
        else
            open++;
    }
    while (open > 0 && copal_host_step(host, -1) == 0)
        ;
    copal_host_close(host);
    return open > 0;
}

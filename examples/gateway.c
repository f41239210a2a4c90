/* A gateway: observes devices, and serves what they last told. However many ask the gateway, each device is asked by one.
 *
 *     $ build/examples/gateway 5683 kitchen=coap://192.0.2.7/temperature &
 *     $ build/copal observe coap://localhost/kitchen
 */
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };

typedef struct {
    copal_receiver_t receiver; /* first, so that it leads to the device */
    copal_tree_t *tree;
    copal_handle_t value;
    const char *name;
} device_t;

static void told(copal_receiver_t *self, const copal_response_t *response)
{
    device_t *device = (device_t *)(void *)self;
    if (response->status != 0)
        fprintf(stderr, "%s: %s%s\n", device->name, copal_error_text(response->status),
                response->ended ? "" : "; it is asked again");
    else if (COPAL_CODE_CLASS(response->message->code) == 2)
        copal_tree_set_value(device->tree, device->value, response->message->payload);
    else
        fprintf(stderr, "%s: %s\n", device->name, copal_code_text(response->message->code));
}

/* Takes "name=uri" apart, serves the name, and begins to observe the URI. */
static int follow(copal_host_t *host, device_t *device, char *argument)
{
    char *uri = strchr(argument, '=');
    if (!uri)
        return COPAL_EURI;
    *uri++ = '\0';
    *device = (device_t){.receiver = {told}, .tree = copal_host_tree(host), .name = argument};
    copal_value_options_t options = {.content_format = 0, .max_age = 60, .methods = COPAL_METHOD(COPAL_GET)};
    int status = copal_tree_add_value(device->tree, argument, copal_text(""), &options, &device->value);
    if (status != 0)
        return status;
    status = copal_host_request(host, &(copal_ask_t){.uri = uri, .observe = true}, &device->receiver, NULL);
    return status < 0 ? status : 0;
}

int main(int argc, char **argv)
{
    static device_t devices[MOST];
    copal_host_t *host;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    if (argc < 3 || argc > 2 + MOST) {
        fprintf(stderr, "usage: gateway PORT NAME=URI...\n");
        return 2;
    }
    if (copal_host_open(&host, NULL) != 0 || copal_host_listen(host, "::", port, &port) != 0) {
        perror("gateway");
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        int status = follow(host, &devices[i - 2], argv[i]);
        if (status < 0) {
            fprintf(stderr, "%s: %s\n", argv[i], copal_error_text(status));
            copal_host_close(host);
            return 2;
        }
    }
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    return copal_host_run(host) < 0;
}

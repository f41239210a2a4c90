/* The core alone, as on a microcontroller: a server and a client that hand each other datagrams. Octets come and go by
 * function calls, time is a number, and memory is two arrays.
 *
 *     $ build/examples/bare
 */
#include "copal/copal.h"

#include <stdio.h>

/* Its members are aligned for any type. */
typedef union {
    max_align_t align;
    uint8_t octets[40960];
} memory_t;

static memory_t tree_memory, server_memory, client_memory; /* all zero */
static const copal_peer_t server_address = {1, {'S'}}, client_address = {1, {'C'}};

/* A chip has a true source of randomness; this one is for show. */
static void draw(void *state, void *buffer, size_t size)
{
    uint32_t *x = state;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)buffer)[i] = (uint8_t)((*x = *x * 1664525u + 1013904223u) >> 24);
}

/* What one endpoint has to send, the other one gets. A radio would be in between. */
static void carry(copal_endpoint_t *from, copal_endpoint_t *to, const copal_peer_t *sender, copal_time_t now)
{
    copal_datagram_t out[4];
    size_t count;
    while ((count = copal_endpoint_send(from, now, out, 4)) > 0)
        for (size_t i = 0; i < count; i++) {
            printf("%c: %zu octets\n", sender->data[0], out[i].bytes.size);
            copal_from_t origin = {.peer = *sender};
            copal_endpoint_receive(to, now, &origin, out[i].bytes);
        }
}

static void answered(copal_receiver_t *self, const copal_response_t *response)
{
    (void)self;
    if (response->status == 0)
        printf("%s: %.*s\n", copal_code_text(response->message->code), (int)response->message->payload.size,
               (const char *)response->message->payload.data);
}

int main(void)
{
    uint32_t seed = 1;
    copal_tree_t *tree;
    copal_endpoint_t *server, *client;
    copal_limits_t small = {.datagram_size = 384, .payload_size = 256, .requests = 2, .deferred = 1, .remembered = 8,
                            .remembered_bytes = 2048, .proven = 4, .counters = 1, .batch = 4, .observers = 2,
                            .observed = 2, .networks = 4};
    copal_tree_config_t tree_config = {.limits = {.resources = 4}, .random = draw, .random_state = &seed};
    copal_config_t config = {.limits = small, .random = draw, .random_state = &seed};
    if (copal_tree_init(&tree, &tree_memory, sizeof tree_memory, &tree_config) != 0 ||
        copal_endpoint_init_client(&client, &client_memory, sizeof client_memory, &config) != 0)
        return 1;
    config.service = copal_tree_service(tree, 0);
    if (copal_endpoint_init(&server, &server_memory, sizeof server_memory, &config) != 0)
        return 1;
    copal_value_options_t options = {.content_format = 0, .max_age = -1, .methods = COPAL_METHODS_ALL};
    copal_tree_add_value(tree, "t", copal_text("21.5"), &options, NULL);

    copal_handle_t handle;
    copal_writer_t *w;
    copal_receiver_t receiver = {answered};
    copal_request_t request = {.to = &server_address, .code = COPAL_GET, .confirmable = true};
    copal_time_t now = 0;
    if (copal_request_begin(client, &request, &handle, &w) != 0)
        return 1;
    copal_write_path(w, copal_text("t"));
    copal_request_commit(client, now, handle, &receiver);
    carry(client, server, &client_address, now);
    carry(server, client, &server_address, now + 50);
    return 0;
}

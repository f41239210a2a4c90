/* A server of ours with what `copal serve` has no words for: server [PAYLOAD_SIZE [REMEMBERED [NETWORK_BYTES]]], of
 * which 0 is the default; says `listening on port` once it can be asked. It has a value, a large one, a document that a
 * FETCH names a member of, and what answers a POST or FETCH with its text in upper case. */
#include "copal/host.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const copal_value_options_t value_options = {
    .content_format = 0, .max_age = -1, .etag = true, .methods = COPAL_METHODS_ALL};

static bool is(copal_bytes_t octets, const char *text)
{
    return octets.size == strlen(text) && memcmp(octets.data, text, octets.size) == 0;
}

static void document(void *user, copal_call_t *call)
{
    (void)user;
    if (call->request->code == COPAL_GET)
        copal_reply_text(call, COPAL_CONTENT, "{\"a\":1,\"b\":2}");
    else if (is(call->request->payload, "a"))
        copal_reply_text(call, COPAL_CONTENT, "1");
    else if (is(call->request->payload, "b"))
        copal_reply_text(call, COPAL_CONTENT, "2");
    else
        copal_reply_text(call, COPAL_UNPROCESSABLE_ENTITY, "no such member");
}

/* ---- upper case -------------------------------------------------------------------------------------------- */

typedef struct {
    size_t size;
    char text[8000];
} text_t;

static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    (void)user, (void)call, (void)size;
    *most = sizeof((text_t *)NULL)->text;
    *body = calloc(1, sizeof(text_t));
    return *body ? 0 : COPAL_INTERNAL_SERVER_ERROR;
}

static copal_code_t take(void *body, copal_bytes_t piece)
{
    text_t *text = body;
    if (piece.size > sizeof text->text - text->size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    for (size_t i = 0; i < piece.size; i++)
        text->text[text->size++] = (char)toupper(piece.data[i]);
    return 0;
}

static void end(void *body, copal_call_t *call)
{
    const text_t *text = body;
    copal_writer_t *w = copal_reply(call, call->request->code == COPAL_FETCH ? COPAL_CONTENT : COPAL_CHANGED);
    copal_write_payload(w, (copal_bytes_t){(const uint8_t *)text->text, text->size});
    free(body);
}

static void say_how(void *user, copal_call_t *call)
{
    (void)user;
    copal_reply_text(call, COPAL_CONTENT, "POST or FETCH a text");
}

static const copal_intake_t upper = {.begin = begin, .take = take, .end = end, .drop = free};

int main(int argc, char **argv)
{
    static uint8_t large[3000];
    copal_host_t *host;
    uint16_t port = 0;
    copal_host_config_t config = {.dynamic = true};
    if (argc > 1)
        config.server.payload_size = (uint32_t)atoi(argv[1]);
    if (argc > 2)
        config.server.remembered = (uint32_t)atoi(argv[2]);
    if (argc > 3)
        config.server.network_bytes = (uint32_t)atoi(argv[3]);
    if (copal_host_open(&host, &config) < 0 || copal_host_listen(host, "127.0.0.1", 0, &port) < 0) {
        perror("server");
        return 1;
    }
    copal_tree_t *tree = copal_host_tree(host);
    for (size_t at = 0; at < sizeof large; at++)
        large[at] = (uint8_t)('0' + at % 10);
    const copal_handler_t handler = {.methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_FETCH),
                                     .handle = document};
    const copal_handler_t upper_case = {
        .methods = COPAL_METHOD(COPAL_GET) | COPAL_METHOD(COPAL_POST) | COPAL_METHOD(COPAL_FETCH),
        .intake = &upper, .handle = say_how};
    copal_tree_add_handler(tree, "document", &handler, NULL);
    copal_tree_add_handler(tree, "upper", &upper_case, NULL);
    copal_tree_add_value(tree, "test", copal_text("21.5"), &value_options, NULL);
    copal_tree_add_value(tree, "large", (copal_bytes_t){large, sizeof large}, &value_options, NULL);
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    return copal_host_run(host) < 0;
}

/* URIs, paths and queries. What is taken comes out again: a URI that a request is composed to, and a path as text, are those
 * that make the same options. The first octet says which of these the rest is. */
#include "common/input.h"
#include "copal/uri.h"
#include "support/check.h"

enum { ROOM = 2000, TEXT_ROOM = 8000 };

static void check_within(copal_bytes_t part, const char *text)
{
    if (part.size)
        check(part.data >= (const uint8_t *)text && part.data + part.size <= (const uint8_t *)text + strlen(text));
}

static copal_message_t parse_options(copal_writer_t *w)
{
    copal_message_t message;
    copal_bytes_t datagram;
    check_equal(copal_writer_finish(w, &datagram), 0);
    check_equal(copal_message_parse(&message, datagram), 0);
    return message;
}

static void start(copal_writer_t *w, uint8_t *buffer)
{
    copal_writer_init(w, buffer, ROOM);
    copal_write_header(w, COPAL_CON, COPAL_GET, 1, (copal_bytes_t){0});
}

/* Composes the URI of a request, takes it apart again, and returns the request made of that. */
static copal_message_t there_and_back(const copal_message_t *request, bool secure, const char *host, uint16_t port, copal_uri_t *uri,
                                      uint8_t *buffer)
{
    char *text = malloc(TEXT_ROOM);
    copal_writer_t w;
    const int length = copal_uri_compose(text, TEXT_ROOM, request, secure, host, port);
    check(length > 0 && strlen(text) == (size_t)length);
    char *exact = malloc((size_t)length + 1);
    check_equal(copal_uri_compose(exact, (size_t)length + 1, request, secure, host, port), length);
    check_equal(copal_uri_compose(exact, (size_t)length, request, secure, host, port), COPAL_ESPACE);
    check_equal(copal_uri_parse(uri, text), 0);
    check(uri->secure == secure);
    start(&w, buffer);
    copal_write_uri(&w, uri);
    const copal_message_t again = parse_options(&w);
    free(exact);
    free(text);
    return again;
}

static void take_uri(const char *text)
{
    copal_uri_t uri, again;
    uint8_t first[ROOM], second[ROOM];
    copal_writer_t w;
    const int status = copal_uri_parse(&uri, text);
    check(status == 0 || status == COPAL_EURI);
    if (status < 0)
        return;
    check_within(uri.host, text);
    check_within(uri.path, text);
    check_within(uri.query, text);
    check(uri.host.size > 0 && (uri.path.size == 0 || uri.path.data[0] == '/'));
    start(&w, first);
    copal_write_uri(&w, &uri);
    if (w.error || memchr(uri.host.data, '%', uri.host.size)) /* too long a part; a zone is the user's to decode */
        return;
    const copal_message_t request = parse_options(&w);
    char *host = text_copy(uri.host);
    const copal_message_t other = there_and_back(&request, uri.secure, host, uri.port, &again, second);
    check(uri.literal == again.literal && uri.port == again.port);
    check_bytes(other.options, request.options);
    free(host);
}

static void take_path(copal_bytes_t text)
{
    uint8_t first[ROOM], second[ROOM];
    char *out = malloc(TEXT_ROOM);
    const int size = copal_path_encode(first, sizeof first, text);
    check(size >= 0 || size == COPAL_EINVAL);
    if (size >= 0) {
        const copal_bytes_t path = {first, (size_t)size};
        const int length = copal_path_text(out, TEXT_ROOM, path);
        check(length >= 0);
        const int again = copal_path_encode(second, sizeof second, copal_text(out));
        check_bytes((copal_bytes_t){second, (size_t)(again < 0 ? 0 : again)}, path);
    }
    copal_writer_t w;
    start(&w, first);
    copal_write_path_and_query(&w, text);
    check(w.error == 0 || w.error == COPAL_EINVAL);
    free(out);
}

/* "." and ".." have no URI (RFC 7252 section 5.10.1). */
static bool is_dots(copal_bytes_t segment)
{
    return segment.size > 0 && segment.size <= 2 && segment.data[0] == '.' && segment.data[segment.size - 1] == '.';
}

/* A request of any octets has a URI, which makes the same path and query. */
static void take_options(input_t *in)
{
    static const uint16_t numbers[] = {COPAL_OPTION_URI_HOST, COPAL_OPTION_URI_PORT, COPAL_OPTION_URI_PATH, COPAL_OPTION_URI_QUERY};
    uint8_t first[ROOM], second[ROOM];
    copal_writer_t w, kept;
    copal_uri_t uri;
    unsigned segments = 0;
    bool has_host = false, has_port = false, first_is_empty = false;
    start(&w, first);
    start(&kept, second);
    while (input_left(in) > 0) {
        const uint16_t number = numbers[input_below(in, 4)];
        const copal_bytes_t value = input_take(in, input_below(in, number == COPAL_OPTION_URI_PORT ? 3 : 20));
        if (number == COPAL_OPTION_URI_HOST && (has_host || value.size == 0))
            continue;
        if ((number == COPAL_OPTION_URI_PORT && has_port) || (number == COPAL_OPTION_URI_PATH && is_dots(value)))
            continue;
        has_host |= number == COPAL_OPTION_URI_HOST;
        has_port |= number == COPAL_OPTION_URI_PORT;
        if (number == COPAL_OPTION_URI_PATH && segments++ == 0)
            first_is_empty = value.size == 0;
        copal_write_option(&w, number, value);
        if (number >= COPAL_OPTION_URI_PATH)
            copal_write_option(&kept, number, value);
    }
    if (segments == 1 && first_is_empty) /* is as if it were not there */
        return;
    copal_message_t request = parse_options(&w), wanted = parse_options(&kept);
    uint8_t third[ROOM], fourth[ROOM];
    copal_option_t option;
    const copal_message_t again = there_and_back(&request, false, "host", 1, &uri, third);
    start(&kept, fourth);
    copal_option_reader_t reader = copal_message_options(&again);
    while (copal_option_next(&reader, &option))
        if (option.number >= COPAL_OPTION_URI_PATH)
            copal_write_option(&kept, option.number, option.value);
    check_bytes(parse_options(&kept).options, wanted.options);
    check_equal(uri.port, copal_option_find(&request, COPAL_OPTION_URI_PORT, &option) ? copal_option_uint(&option) : 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    const uint32_t which = input_below(&in, 4);
    const copal_bytes_t rest = {in.at, input_left(&in)};
    if (which == 3) {
        take_options(&in);
        return 0;
    }
    char *text = text_copy(rest);
    if (which == 0)
        take_uri(text);
    else if (which == 1)
        take_path(copal_text(text));
    else
        copal_content_format(text);
    free(text);
    return 0;
}

#include "copal/uri.h"

#include "characters.h"
#include "writer.h"

/* Whether all of `text` is letters, digits, `others` and well-formed percent-encoding. */
static bool is_made_of(copal_bytes_t text, const char *others)
{
    while (text.size) {
        uint8_t c = text.data[0];
        if (copal__percent_next(&text) < 0 || (c != '%' && !copal__is_alnum_or(c, others)))
            return false;
    }
    return true;
}

/* A decimal number to 65535; -1: anything else. */
static int32_t decimal(copal_bytes_t digits)
{
    int32_t number = digits.size ? 0 : -1;
    for (; digits.size && number >= 0; copal__drop(&digits, 1)) {
        number = number * 10 + digits.data[0] - '0';
        if (digits.data[0] < '0' || digits.data[0] > '9' || number > UINT16_MAX)
            number = -1;
    }
    return number;
}

/* IPv4address of RFC 3986 section 3.2.2: four numbers to 255 without leading zeros; any other host is a name. */
static bool is_ipv4(copal_bytes_t host)
{
    for (int dots = 3; dots >= 0; dots--) {
        copal_bytes_t part;
        bool dot = copal__split(&host, '.', &part);
        int32_t number = decimal(part);
        if (dot != (dots > 0) || number < 0 || number > 255 || (part.size > 1 && part.data[0] == '0'))
            return false;
    }
    return true;
}

/* Hexadecimal digits, colons and dots, then perhaps a zone; whoever makes an address of it looks closer. */
static bool is_ipv6(copal_bytes_t host)
{
    copal_bytes_t address;
    bool zone = copal__split(&host, '%', &address);
    size_t colons = 0;
    for (; address.size; copal__drop(&address, 1)) {
        uint8_t c = address.data[0];
        if (copal__hex_digit(c) < 0 && c != ':' && c != '.')
            return false;
        colons += c == ':';
    }
    return colons > 1 && (!zone || host.size) && is_made_of(host, COPAL__UNRESERVED);
}

/* "coap://" or "coaps://" in any case, taken off. */
static bool take_scheme(copal_bytes_t *text, bool *secure)
{
    copal_bytes_t scheme;
    if (!copal__split(text, ':', &scheme) || text->size < 2 || text->data[0] != '/' || text->data[1] != '/')
        return false;
    copal__drop(text, 2);
    *secure = scheme.size == 5;
    if (scheme.size != 4 && scheme.size != 5)
        return false;
    for (size_t i = 0; i < scheme.size; i++)
        if ((scheme.data[i] | 0x20) != "coaps"[i])
            return false;
    return true;
}

/* RFC 3986 section 3.2.3 lets "coap://host:" stand for the default port. */
static bool read_port(copal_uri_t *uri, copal_bytes_t digits)
{
    int32_t port = digits.size ? decimal(digits) : uri->port;
    uri->port = (uint16_t)port;
    return port >= 0;
}

/* Userinfo is no part of a coap URI (RFC 7252 section 6.1); its "@" fits neither a host nor a port. */
static bool read_authority(copal_uri_t *uri, copal_bytes_t authority)
{
    if (authority.size && authority.data[0] == '[') {
        copal_bytes_t nothing;
        copal__drop(&authority, 1);
        uri->literal = true;
        return copal__split(&authority, ']', &uri->host) && is_ipv6(uri->host) &&
               (!authority.size || (copal__split(&authority, ':', &nothing) && !nothing.size)) &&
               read_port(uri, authority);
    }
    copal__split(&authority, ':', &uri->host);
    uri->literal = is_ipv4(uri->host);
    return uri->host.size && is_made_of(uri->host, COPAL__UNRESERVED COPAL__SUB_DELIMS) && read_port(uri, authority);
}

int copal_uri_parse(copal_uri_t *uri, const char *text)
{
    copal_bytes_t rest = copal_text(text);
    *uri = (copal_uri_t){0};
    if (!take_scheme(&rest, &uri->secure))
        return COPAL_EURI;
    uri->port = uri->secure ? COPAL_SECURE_PORT : COPAL_PORT;
    uri->has_query = copal__split(&rest, '?', &uri->path);
    uri->query = rest;
    copal_bytes_t authority = uri->path;
    for (authority.size = 0; authority.size < uri->path.size && authority.data[authority.size] != '/';)
        authority.size++;
    copal__drop(&uri->path, authority.size);
    /* A "#" is in none of these sets: a fragment fails (RFC 7252 section 6.4 step 4). */
    return read_authority(uri, authority) && is_made_of(uri->path, COPAL__PCHAR "/") &&
                   is_made_of(uri->query, COPAL__PCHAR "/?")
               ? 0
               : COPAL_EURI;
}

/* "converted to ASCII lowercase, and then convert all percent-encodings" (RFC 7252 section 6.4 step 5). */
static void write_host(copal_writer_t *w, copal_bytes_t host)
{
    ptrdiff_t size = copal__percent_size(host);
    uint8_t *at = copal__write_space(w, COPAL_OPTION_URI_HOST, (size_t)size);
    while (at && host.size) {
        uint8_t c = host.data[0];
        int octet = copal__percent_next(&host);
        *at++ = (uint8_t)(c >= 'A' && c <= 'Z' ? c | 0x20 : octet);
    }
}

void copal_write_uri(copal_writer_t *w, const copal_uri_t *uri)
{
    if (!uri->literal)
        write_host(w, uri->host);
    copal_write_path(w, uri->path);
    if (uri->has_query)
        copal_write_query(w, uri->query);
}

/* A name, an IPv4 address, or an IPv6 one with its brackets, which an option would have and an argument has not. */
static void add_host(copal__text_t *text, copal_bytes_t host)
{
    copal_bytes_t inner = host;
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        inner = (copal_bytes_t){host.data + 1, host.size - 2};
    if (!is_ipv6(inner)) {
        copal__text_add_encoded(text, host, COPAL__UNRESERVED COPAL__SUB_DELIMS);
        return;
    }
    copal__text_put(text, '[');
    copal__text_add_encoded(text, inner, COPAL__UNRESERVED ":");
    copal__text_put(text, ']');
}

static void add_port(copal__text_t *text, uint16_t port)
{
    copal__text_put(text, ':');
    uint16_t unit = 10000;
    while (unit > 1 && port < unit)
        unit /= 10;
    for (; unit; unit /= 10)
        copal__text_put(text, (uint8_t)('0' + port / unit % 10));
}

/* Adds every option `number`: the first behind delimiters[0], the others behind delimiters[1]. False: there is none. */
static bool add_options(copal__text_t *text, const copal_message_t *request, uint16_t number, const char *delimiters,
                        const char *others)
{
    copal_option_reader_t reader = copal_message_options(request);
    copal_option_t option;
    bool any = false;
    while (copal_option_next(&reader, &option)) {
        if (option.number != number)
            continue;
        copal__text_put(text, (uint8_t)delimiters[any]);
        copal__text_add_encoded(text, option.value, others);
        any = true;
    }
    return any;
}

/* RFC 7252 section 6.5. A Uri-Host that is no reg-name comes out percent-encoded, which section 6.4 undoes. */
int copal_uri_compose(char *out, size_t capacity, const copal_message_t *request, bool secure, const char *host,
                      uint16_t port)
{
    copal__text_t text = {out, 0, capacity};
    copal_option_t option;
    copal__text_add(&text, secure ? "coaps://" : "coap://");
    add_host(&text, copal_option_find(request, COPAL_OPTION_URI_HOST, &option) ? option.value : copal_text(host));
    if (copal_option_find(request, COPAL_OPTION_URI_PORT, &option))
        port = (uint16_t)copal_option_uint(&option);
    if (port != (secure ? COPAL_SECURE_PORT : COPAL_PORT))
        add_port(&text, port);
    if (!add_options(&text, request, COPAL_OPTION_URI_PATH, "//", COPAL__PCHAR))
        copal__text_put(&text, '/');
    add_options(&text, request, COPAL_OPTION_URI_QUERY, "?&", COPAL__UNRESERVED "!$'()*+,;=:@/?");
    return copal__text_finish(&text);
}

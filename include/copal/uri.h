/* coap and coaps URIs to options and back (RFC 7252 section 6; RFC 3986). */
#ifndef COPAL_URI_H
#define COPAL_URI_H

#include "copal/message.h"

#ifdef __cplusplus
extern "C" {
#endif

#define COPAL_PORT 5683u        /* coap, RFC 7252 section 6.1 */
#define COPAL_SECURE_PORT 5684u /* coaps, section 6.2 */

/** The parts of a URI, borrowed from its text and still percent-encoded. */
typedef struct {
    bool secure;         /* coaps */
    bool literal;        /* host is an IPv4 address or a bracketed IPv6 one (brackets are not in `host`) */
    uint16_t port;       /* the scheme's default where the URI gives none */
    copal_bytes_t host;  /* never empty; an IPv6 literal may carry a zone, "fe80::1%eth0" or "%25eth0" */
    copal_bytes_t path;  /* with its leading "/", or empty */
    copal_bytes_t query; /* without "?" */
    bool has_query;      /* "?" with nothing behind it is a query of one empty argument */
} copal_uri_t;

/** Splits an absolute coap:// or coaps:// URI. COPAL_EURI: anything else, a fragment (section 6.4 step 4), an empty
 *  host, a port over 65535 or bad percent-encoding. */
int copal_uri_parse(copal_uri_t *uri, const char *text);

/** Writes Uri-Host, Uri-Path and Uri-Query (section 6.4). Uri-Host only for a registered name, in lower case;
 *  Uri-Port never, since the destination port says it. */
void copal_write_uri(copal_writer_t *w, const copal_uri_t *uri);

/** Writes Uri-Path options from "a/b": a leading "/" is dropped, percent-encoding decoded; "" and "/" write none;
 *  other empty segments are kept ("a//b" has three), "." and ".." are resolved (RFC 3986 section 5.2.4). The writer's
 *  error is COPAL_EINVAL for bad percent-encoding or a segment over 255 octets. */
void copal_write_path(copal_writer_t *w, copal_bytes_t path);

/** Writes Uri-Query options from "a=1&b=2"; one for each argument, empty ones too: "" has one. */
void copal_write_query(copal_writer_t *w, copal_bytes_t query);

/** As the two above, for "path?query" in one text. */
void copal_write_path_and_query(copal_writer_t *w, copal_bytes_t text);

/** Composes the URI of a request (section 6.5) as a NUL-terminated text into `out`: host and port are taken from
 *  the options and, where absent, from `host` (an IPv6 literal without brackets) and `port`.
 *  Returns its length; COPAL_ESPACE: capacity is too small. */
int copal_uri_compose(char *out, size_t capacity, const copal_message_t *request, bool secure, const char *host,
                      uint16_t port);

/** The path of encoded Uri-Path options as NUL-terminated text: "a/b", percent-encoded where it must be, without
 *  leading "/" unless the first segment is empty, so that copal_write_path makes the same path of it. Returns its
 *  length; COPAL_ESPACE. `path` is what copal_path_encode makes, or copal_request_options_t.path. */
int copal_path_text(char *out, size_t capacity, copal_bytes_t path);

/** The canonical form of a path: its Uri-Path options as they stand on the wire, the first option's delta as 0. Two
 *  paths are equal if and only if these octets are. Returns the size; COPAL_ESPACE; COPAL_EINVAL as copal_write_path. */
int copal_path_encode(uint8_t *out, size_t capacity, copal_bytes_t text);

#ifdef __cplusplus
}
#endif
#endif

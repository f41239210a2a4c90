/* The CoAP message on the wire: view one in place, write one into a buffer (RFC 7252 section 3, RFC 8974). */
#ifndef COPAL_MESSAGE_H
#define COPAL_MESSAGE_H

#include "copal/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Message types, as on the wire (RFC 7252 section 3). */
typedef enum { COPAL_CON, COPAL_NON, COPAL_ACK, COPAL_RST } copal_type_t;

/** A code octet: class in the upper 3 bits, detail in the lower 5 (RFC 7252 section 3); 2.05 is 69. */
typedef uint8_t copal_code_t;
#define COPAL_CODE(class_, detail) ((copal_code_t)((class_) << 5 | (detail)))
#define COPAL_CODE_CLASS(code) ((unsigned)(code) >> 5)
#define COPAL_CODE_DETAIL(code) ((unsigned)(code) & 31u)

/** Every registered code that copal names: constant, class, detail, text of the registry. */
#define COPAL_CODE_MAP(XX)                                                                   \
    XX(EMPTY, 0, 0, "Empty")                                                                 \
    XX(GET, 0, 1, "GET")                                                                     \
    XX(POST, 0, 2, "POST")                                                                   \
    XX(PUT, 0, 3, "PUT")                                                                     \
    XX(DELETE, 0, 4, "DELETE")                                                               \
    XX(FETCH, 0, 5, "FETCH")                                                                 \
    XX(PATCH, 0, 6, "PATCH")                                                                 \
    XX(IPATCH, 0, 7, "iPATCH")                                                               \
    XX(CREATED, 2, 1, "Created")                                                             \
    XX(DELETED, 2, 2, "Deleted")                                                             \
    XX(VALID, 2, 3, "Valid")                                                                 \
    XX(CHANGED, 2, 4, "Changed")                                                             \
    XX(CONTENT, 2, 5, "Content")                                                             \
    XX(CONTINUE, 2, 31, "Continue")                                                          \
    XX(BAD_REQUEST, 4, 0, "Bad Request")                                                     \
    XX(UNAUTHORIZED, 4, 1, "Unauthorized")                                                   \
    XX(BAD_OPTION, 4, 2, "Bad Option")                                                       \
    XX(FORBIDDEN, 4, 3, "Forbidden")                                                         \
    XX(NOT_FOUND, 4, 4, "Not Found")                                                         \
    XX(METHOD_NOT_ALLOWED, 4, 5, "Method Not Allowed")                                       \
    XX(NOT_ACCEPTABLE, 4, 6, "Not Acceptable")                                               \
    XX(REQUEST_ENTITY_INCOMPLETE, 4, 8, "Request Entity Incomplete")                         \
    XX(CONFLICT, 4, 9, "Conflict")                                                           \
    XX(PRECONDITION_FAILED, 4, 12, "Precondition Failed")                                    \
    XX(REQUEST_ENTITY_TOO_LARGE, 4, 13, "Request Entity Too Large")                          \
    XX(UNSUPPORTED_CONTENT_FORMAT, 4, 15, "Unsupported Content-Format")                      \
    XX(UNPROCESSABLE_ENTITY, 4, 22, "Unprocessable Entity")                                  \
    XX(TOO_MANY_REQUESTS, 4, 29, "Too Many Requests")                                        \
    XX(INTERNAL_SERVER_ERROR, 5, 0, "Internal Server Error")                                 \
    XX(NOT_IMPLEMENTED, 5, 1, "Not Implemented")                                             \
    XX(BAD_GATEWAY, 5, 2, "Bad Gateway")                                                     \
    XX(SERVICE_UNAVAILABLE, 5, 3, "Service Unavailable")                                     \
    XX(GATEWAY_TIMEOUT, 5, 4, "Gateway Timeout")                                             \
    XX(PROXYING_NOT_SUPPORTED, 5, 5, "Proxying Not Supported")                               \
    XX(HOP_LIMIT_REACHED, 5, 8, "Hop Limit Reached")

enum {
#define XX(name, class_, detail, text) COPAL_##name = COPAL_CODE(class_, detail),
    COPAL_CODE_MAP(XX)
#undef XX
};

/** The No-Response option (RFC 7967): responses of which classes are not wanted; or all that there are. */
enum { COPAL_NO_RESPONSE_2XX = 2, COPAL_NO_RESPONSE_4XX = 8, COPAL_NO_RESPONSE_5XX = 16, COPAL_NO_RESPONSE_ALL = 26 };

/** How an option's value is to be read (RFC 7252 section 3.2). */
typedef enum { COPAL_FORMAT_EMPTY, COPAL_FORMAT_OPAQUE, COPAL_FORMAT_UINT, COPAL_FORMAT_STRING } copal_option_format_t;

/** Every option that copal knows: constant, number, registry name, format, least and most octets, repeatable
 *  (RFC 7252 table 4 and section 5.10; 7641; 7959; 7967; 8613; 8768; 9175). */
#define COPAL_OPTION_MAP(XX)                                                                 \
    XX(IF_MATCH, 1, "If-Match", OPAQUE, 0, 8, true)                                          \
    XX(URI_HOST, 3, "Uri-Host", STRING, 1, 255, false)                                       \
    XX(ETAG, 4, "ETag", OPAQUE, 1, 8, true)                                                  \
    XX(IF_NONE_MATCH, 5, "If-None-Match", EMPTY, 0, 0, false)                                \
    XX(OBSERVE, 6, "Observe", UINT, 0, 3, false)                                             \
    XX(URI_PORT, 7, "Uri-Port", UINT, 0, 2, false)                                           \
    XX(LOCATION_PATH, 8, "Location-Path", STRING, 0, 255, true)                              \
    XX(OSCORE, 9, "OSCORE", OPAQUE, 0, 255, false)                                           \
    XX(URI_PATH, 11, "Uri-Path", STRING, 0, 255, true)                                       \
    XX(CONTENT_FORMAT, 12, "Content-Format", UINT, 0, 2, false)                              \
    XX(MAX_AGE, 14, "Max-Age", UINT, 0, 4, false)                                            \
    XX(URI_QUERY, 15, "Uri-Query", STRING, 0, 255, true)                                     \
    XX(HOP_LIMIT, 16, "Hop-Limit", UINT, 1, 1, false)                                        \
    XX(ACCEPT, 17, "Accept", UINT, 0, 2, false)                                              \
    XX(LOCATION_QUERY, 20, "Location-Query", STRING, 0, 255, true)                           \
    XX(BLOCK2, 23, "Block2", UINT, 0, 3, false)                                              \
    XX(BLOCK1, 27, "Block1", UINT, 0, 3, false)                                              \
    XX(SIZE2, 28, "Size2", UINT, 0, 4, false)                                                \
    XX(PROXY_URI, 35, "Proxy-Uri", STRING, 1, 1034, false)                                   \
    XX(PROXY_SCHEME, 39, "Proxy-Scheme", STRING, 1, 255, false)                              \
    XX(SIZE1, 60, "Size1", UINT, 0, 4, false)                                                \
    XX(ECHO, 252, "Echo", OPAQUE, 1, 40, false)                                              \
    XX(NO_RESPONSE, 258, "No-Response", UINT, 0, 1, false)                                   \
    XX(REQUEST_TAG, 292, "Request-Tag", OPAQUE, 0, 8, true)

enum {
#define XX(name, number, text, format, least, most, repeatable) COPAL_OPTION_##name = (number),
    COPAL_OPTION_MAP(XX)
#undef XX
};

/** What is known of an option. */
typedef struct {
    uint16_t number, least, most; /* most, least: octets of a value */
    uint8_t format;               /* a copal_option_format_t */
    bool repeatable;
} copal_option_definition_t;

/** The definition of option `number`, static, or NULL where copal does not know it. */
const copal_option_definition_t *copal_option_definition(uint16_t number);

/** True for an option that must be understood (RFC 7252 section 5.4.1). */
static inline bool copal_option_is_critical(uint16_t number) { return number & 1u; }

/* ---- view ---------------------------------------------------------------------------------- */

/** A message viewed in place: token, options and payload are borrowed from the datagram. */
typedef struct {
    copal_type_t type;
    copal_code_t code;
    uint16_t id;
    copal_bytes_t token;   /* up to 65,804 octets (RFC 8974) */
    copal_bytes_t options; /* encoded; well-formed */
    copal_bytes_t payload;
} copal_message_t;

typedef struct {
    uint16_t number;
    copal_bytes_t value;
} copal_option_t;

typedef struct {
    const uint8_t *at, *end;
    uint16_t number;
} copal_option_reader_t;

/** Views `datagram`. Checks all of the structure, nothing of the meaning: code class, option numbers and lengths.
 *  COPAL_EVERSION: fewer than 4 octets, or another version; to be ignored silently (RFC 7252 section 3).
 *  COPAL_EFORMAT: a message format error; type, code and id can be relied on, the rest is empty. That includes an
 *  Empty message with anything after its header (section 4.1). */
int copal_message_parse(copal_message_t *message, copal_bytes_t datagram);

/** A reader over the options, in ascending order of number. */
copal_option_reader_t copal_message_options(const copal_message_t *message);

/** The next option into `option`, borrowed from the datagram; false after the last. */
bool copal_option_next(copal_option_reader_t *reader, copal_option_t *option);

/** The first option `number` into `option`, of a length that its definition allows; false where there is none. */
bool copal_option_find(const copal_message_t *message, uint16_t number, copal_option_t *option);

/** The value as an unsigned integer, leading zeros allowed (RFC 7252 section 3.2); only the last 4 octets count. */
uint32_t copal_option_uint(const copal_option_t *option);

/* ---- write --------------------------------------------------------------------------------- */

typedef struct copal_writer_t copal_writer_t;

/** Where a payload goes whole that is longer than its window. Embed it in a struct of yours, and recover that from
 *  `self`. */
typedef struct copal_spill_t {
    /** Room for the next `size` octets, which `w->total` others stand before: those are in the window when this is called
     *  first. NULL: they are not kept. */
    uint8_t *(*take)(struct copal_spill_t *self, copal_writer_t *w, size_t size);
} copal_spill_t;

/** Writes a message into a buffer that the caller owns. Keeps its first error, so that writes need no check.
 *  Options may be written in any order and even after the payload: each goes to its place, after those of its
 *  own number; ascending order costs nothing.
 *  The payload passes through a window: its first `skip` octets are dropped and at most `window` are kept, while
 *  `total` counts all that was offered. That is how any block of a body is written by writing the whole body. */
struct copal_writer_t {
    uint8_t *data;
    size_t size, capacity;
    size_t options;  /* offset of the first option */
    size_t payload;  /* offset of the first payload octet; 0 while there is none */
    uint16_t number; /* of the last option; 0 while there is none */
    int error;       /* first error: COPAL_ESPACE, COPAL_EINVAL, or what copal_write_body's `read` said */
    size_t skip, window, total;
    copal_spill_t *spill; /* NULL: only what the window keeps is kept */
};

/** Starts an empty writer on `buffer` with a payload window that keeps all. */
void copal_writer_init(copal_writer_t *w, void *buffer, size_t capacity);

/** Writes header and token (with RFC 8974's extended lengths); must come first. */
void copal_write_header(copal_writer_t *w, copal_type_t type, copal_code_t code, uint16_t id, copal_bytes_t token);

/** Writes one option. COPAL_ESPACE: no room. COPAL_EINVAL: a known option with a length outside its definition. */
void copal_write_option(copal_writer_t *w, uint16_t number, copal_bytes_t value);

/** Writes one option as an unsigned integer in as few octets as it takes, 0 as none (RFC 7252 section 3.2). */
void copal_write_option_uint(copal_writer_t *w, uint16_t number, uint32_t value);

/** Writes options that are encoded already, the first delta counted from option 0. Only into a writer that holds no
 *  option yet; `last` is the number of the last of them. For answers that are kept encoded. */
void copal_write_encoded(copal_writer_t *w, copal_bytes_t options, uint16_t last);

/** Appends to the payload, through the window. */
void copal_write_payload(copal_writer_t *w, copal_bytes_t part);

/** Reads octets `offset` to `offset + size` of a body to `out`: all of them. 0, or a negative error. */
typedef int (*copal_read_t)(void *context, size_t offset, void *out, size_t size);

/** Appends `total` octets to the payload, of which only those in the window are read, at once or not at all: any block of
 *  a body of any size in constant memory (RFC 7959 section 2.4). An error of `read` becomes the writer's. */
void copal_write_body(copal_writer_t *w, size_t total, copal_read_t read, void *context);

/** Appends a C string to the payload. */
void copal_write_text(copal_writer_t *w, const char *text);

/** The finished datagram, borrowed from the writer's buffer; returns the writer's first error, or 0. */
int copal_writer_finish(const copal_writer_t *w, copal_bytes_t *datagram);

/* ---- Block options (RFC 7959 section 2.2) ---------------------------------------------------- */

typedef struct {
    uint32_t number; /* 0 to 2^20 - 1 */
    bool more;
    uint8_t szx; /* size is 2^(szx + 4); 0 to 6 */
} copal_block_t;

/** Reads a Block1 or Block2 value. COPAL_EINVAL: SZX is 7, to be answered with 4.00 (section 2.2). */
int copal_block_decode(copal_block_t *block, uint32_t value);
uint32_t copal_block_encode(const copal_block_t *block);

/* ---- names --------------------------------------------------------------------------------- */

/** The registry's text of a code ("Content"), static; "" for a code that has none. */
const char *copal_code_text(copal_code_t code);

/** The registry's name of an option ("Uri-Path"), static; "" where copal does not know it. */
const char *copal_option_text(uint16_t number);

/** Content-Formats: the registered numbers that copal can name, and back. NULL / COPAL_ENOTFOUND where unknown.
 *  Names are media types as registered ("application/json"); `copal_content_format` also takes the last part alone
 *  ("json", "cbor", "link-format", "text" for text/plain) and decimal numbers 0 to 65535. */
const char *copal_content_format_text(uint16_t number);
int copal_content_format(const char *name);

#ifdef __cplusplus
}
#endif
#endif

/* /.well-known/core: the links to all resources (RFC 6690 section 4). */
#include <string.h>

#include "copal/link.h"
#include "tree.h"

#define LINK_FORMAT  40
#define CT_MOST      9 /* octets of ";ct=65535" */
#define TAG          UINT64_C(0x6c696e6b73) /* a function of its own, of the keyed hash */
#define FILTERS_MOST 8 /* in one request, as each is compared with every link; past it 4.00 */

bool copal__is_discovery(copal_bytes_t path)
{
    static const uint8_t rest[] = {'.', 'w', 'e', 'l', 'l', '-', 'k', 'n', 'o', 'w', 'n', 4, 'c', 'o', 'r', 'e'};
    /* The first octet tells the length of the first segment, which follows from the others. */
    return path.size == 1 + sizeof rest && !memcmp(path.data + 1, rest, sizeof rest);
}

/* The parts of a link. */
typedef struct {
    copal_bytes_t target;    /* with its angle brackets */
    copal_bytes_t automatic; /* attributes of ours */
    copal_bytes_t own;       /* the application's */
    copal_bytes_t observe;   /* ";obs" (RFC 7641 section 6) */
} parts_t;

/* Writes the attribute that tells a Content-Format; its size. */
static size_t put_ct(char *out, int32_t content_format)
{
    char digits[5];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + content_format % 10);
    } while (content_format /= 10);
    memcpy(out, ";ct=", 4);
    size_t size = 4;
    while (count)
        out[size++] = digits[--count];
    return size;
}

/* "is a hint indicating that the destination of a link is useful for observation" (RFC 7641 section 6). */
static bool is_observable(const copal_tree_t *t, const copal__resource_t *r, const copal__value_t *value)
{
    uint32_t methods = value ? value->methods : r->handler.methods;
    return (value ? t->config.observable : r->handler.observable) && methods & COPAL_METHOD(COPAL_GET);
}

static void take_apart(const copal_tree_t *t, copal__resource_t *r, parts_t *parts, char ct[CT_MOST])
{
    copal__value_t *value = copal__value_of(r);
    copal__attributes_t *attributes = copal__attributes_of(r);
    *parts = (parts_t){.target = {r->octets + r->path_size, r->link_size}};
    if (attributes)
        parts->own = (copal_bytes_t){(const uint8_t *)attributes->text, attributes->size};
    if (value && value->content_format >= 0 && !(attributes && attributes->has_ct))
        parts->automatic = (copal_bytes_t){(const uint8_t *)ct, put_ct(ct, value->content_format)};
    if (is_observable(t, r, value) && !(attributes && attributes->has_obs))
        parts->observe = copal_text(";obs");
}

/* Whether the link fits every Uri-Query argument (section 4.1). */
static bool fits(const copal_call_t *call, const parts_t *parts)
{
    if (!call->options->queries)
        return true;
    copal_bytes_t target = {parts->target.data + 1, parts->target.size - 2};
    copal_option_reader_t reader = copal_message_options(call->request);
    copal_option_t o;
    while (copal_option_next(&reader, &o))
        if (o.number == COPAL_OPTION_URI_QUERY && !copal_link_matches(&(copal_link_t){target, parts->own}, o.value) &&
            !copal_link_matches(&(copal_link_t){target, parts->automatic}, o.value) &&
            !copal_link_matches(&(copal_link_t){target, parts->observe}, o.value))
            return false;
    return true;
}

static uint32_t relinked(const copal_tree_t *t) { return atomic_load_explicit(&t->relinked, memory_order_acquire); }

/* Whether the client has them as they are. */
static bool is_valid(const copal_tree_t *t, copal_call_t *call, copal_bytes_t tag)
{
    if (!call->options->etags || !copal__tag_matches(t, call->request, COPAL_OPTION_ETAG, tag))
        return false;
    copal_write_option(copal_reply(call, COPAL_VALID), COPAL_OPTION_ETAG, tag);
    return true;
}

/* Writes all that fit the filters; false: none does. */
static bool write_links(const copal_tree_t *t, const copal_call_t *call, copal_writer_t *w)
{
    char origin[COPAL_ORIGIN_SIZE];
    const size_t origin_size = t->config.origin ? t->config.origin(t->config.user, call, origin) : 0;
    bool any = false;
    for (copal__resource_t *r = copal__follow(&t->first); r; r = copal__follow(&r->later)) {
        char ct[CT_MOST];
        parts_t parts;
        take_apart(t, r, &parts, ct);
        if (!fits(call, &parts))
            continue;
        copal_write_text(w, any ? ",<" : "<");
        copal_write_payload(w, (copal_bytes_t){(const uint8_t *)origin, origin_size});
        copal_write_payload(w, (copal_bytes_t){parts.target.data + 1, parts.target.size - 1});
        copal_write_payload(w, parts.automatic);
        copal_write_payload(w, parts.own);
        copal_write_payload(w, parts.observe);
        any = true;
    }
    return any;
}

copal_code_t copal__serve_discovery(copal_tree_t *t, copal_call_t *call)
{
    const copal_request_options_t *o = call->options;
    if (call->request->code != COPAL_GET)
        return COPAL_METHOD_NOT_ALLOWED;
    if (o->accept >= 0 && o->accept != LINK_FORMAT)
        return COPAL_NOT_ACCEPTABLE;
    if (o->queries > FILTERS_MOST)
        return COPAL_BAD_REQUEST;
    /* "The server SHOULD include an ETag Option in each response" that is a block (RFC 7959 section 2.4). Keyed, for the links
     * may be others after a restart. */
    const uint32_t before = relinked(t);
    uint32_t octets = (uint32_t)copal__hash(&t->key, TAG, &before, sizeof before);
    const copal_bytes_t tag = {(const uint8_t *)&octets, sizeof octets};
    if (is_valid(t, call, tag))
        return COPAL_EMPTY;
    copal_writer_t *w = copal_reply(call, COPAL_CONTENT);
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, LINK_FORMAT);
    const bool any = write_links(t, call, w);
    /* Another one if the links became others meanwhile, and of each exchange its own while they are about to: so blocks of two
     * lists never have the same. */
    octets += relinked(t) - before + before % 2 * call->request->id;
    copal_write_option(w, COPAL_OPTION_ETAG, tag);
    /* "A multicast request with a query string SHOULD NOT be responded to [...] if the filter does not match" (section
     * 4.1), and errors are not, by multicast. */
    return any || !o->queries || !call->from->multicast ? COPAL_EMPTY : COPAL_NOT_FOUND;
}

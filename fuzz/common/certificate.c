#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "certificate.h"

#include "dtls/record.h"
#include "input.h"
#include "made.h"
#include "randomness.h"
#include "support/bench.h"

#include <stdio.h>
#include <unistd.h>

enum { SERVER, CLIENT, ENDS };
enum { CERTIFICATE = 11, CLIENT_KEY_EXCHANGE = 16 }; /* RFC 5246 section 7.4 */
enum { WIRE = 16, BODY_MOST = 8000, DATAGRAM_MOST = BODY_MOST + 2000, MANY = 5 };
enum { DNS_NAME = 0x82, ADDRESS = 0x87 };

#define NAME "host.site.example"

typedef struct trial_t trial_t;

typedef struct {
    trial_t *trial;
    copal_dtls_t *dtls;
    void *memory;
    random_t random;
    copal_peer_t address;
} end_t;

typedef struct {
    unsigned to;
    size_t size;
    uint8_t *data;
} passing_t;

/* What can be said of a certificate before anybody looks at it. */
typedef struct {
    bool may_be_believed, must_be_believed;
    bool is_refused_for_itself; /* with a reason that is the certificate's */
} verdict_t;

struct trial_t {
    end_t ends[ENDS];
    passing_t wire[WIRE];
    unsigned passing;
    unsigned shower;  /* which end shows the input */
    uint64_t numbers; /* of its records before there are keys */
    bool by_address;  /* the client, which looks, asks for an address and not for a name */
    bool passes_over; /* a certificate that is signed in no way that the library knows is as if it were not shown */
    size_t body_size;
    uint8_t body[BODY_MOST]; /* of the message that shows it */
    bool was_shown, was_believed;
    int told; /* what the one who looked at it said of the handshake; 1: nothing */
};

/* ---- the wire ------------------------------------------------------------------------------------------------------------- */

static void put_24(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 16);
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)value;
}

static size_t get_24(const uint8_t *at)
{
    return (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
}

/* A record of who shows, to `out`: with other certificates in it if it holds some, and a number of its own, since it may be
 * longer then than OpenSSL has counted. */
static size_t rewrite(trial_t *t, const copal__record_t *record, uint8_t *out)
{
    size_t size = record->fragment_size;
    memcpy(out, record->data, record->size);
    if (record->number >= COPAL__EPOCH_1)
        return record->size;
    if (record->type == COPAL__HANDSHAKE && record->fragment[0] == CERTIFICATE) {
        uint8_t *message = out + COPAL__RECORD_HEADER;
        check_equal(size, COPAL__MESSAGE_HEADER + get_24(message + 1)); /* it came whole */
        size = COPAL__MESSAGE_HEADER + t->body_size;
        put_24(message + 1, t->body_size);
        put_24(message + 9, t->body_size);
        memcpy(message + COPAL__MESSAGE_HEADER, t->body, t->body_size);
        t->was_shown = true;
    }
    out[9] = (uint8_t)(t->numbers >> 8);
    out[10] = (uint8_t)t->numbers++;
    out[11] = (uint8_t)(size >> 8);
    out[12] = (uint8_t)size;
    return COPAL__RECORD_HEADER + size;
}

static void transmit(void *user, const copal_datagram_t *datagram)
{
    end_t *end = user;
    trial_t *t = end->trial;
    const unsigned who = end == &t->ends[CLIENT] ? CLIENT : SERVER;
    uint8_t *copy = octets_copy(datagram->bytes), *out = malloc(DATAGRAM_MOST);
    size_t size = 0;
    copal__record_t record;
    for (size_t at = 0; copal__record_read(&record, copy + at, datagram->bytes.size - at); at += record.size) {
        if (who == CLIENT && record.number < COPAL__EPOCH_1 && record.type == COPAL__HANDSHAKE &&
            record.fragment[0] == CLIENT_KEY_EXCHANGE)
            t->was_believed = t->shower == SERVER; /* who goes on believes */
        if (who == t->shower)
            size += rewrite(t, &record, out + size);
        else
            memcpy(out + size, record.data, record.size), size += record.size;
    }
    check(size > 0 && t->passing < WIRE);
    t->wire[t->passing++] = (passing_t){!who, size, octets_copy((copal_bytes_t){out, size})};
    free(out);
    free(copy);
}

/* ---- both ends ------------------------------------------------------------------------------------------------------------ */

static void deliver(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    (void)user, (void)now, (void)from, (void)message;
    check(false); /* nobody says anything */
}

static void tell(end_t *end, int status, const char *reason)
{
    for (const char *c = reason; c && *c; c++)
        check(*c >= ' ' && *c <= '~');
    if (end != &end->trial->ends[end->trial->shower])
        end->trial->told = status;
}

static void changed(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    (void)now, (void)peer;
    tell(user, status, reason);
}

static void served(void *user, const copal_peer_t *address, int status, const char *reason)
{
    (void)address;
    tell(user, status, reason);
}

static copal_credentials_t *credentials_of(const copal_dtls_backend_t *backend, bool server, bool shows)
{
    char folder[] = "/tmp/copal-fuzz-XXXXXX", host[64], authority[64];
    copal_credentials_t *credentials;
    check(mkdtemp(folder) != NULL);
    snprintf(host, sizeof host, "%s/host", folder);
    snprintf(authority, sizeof authority, "%s/authority", folder);
    made_write(HOST, host);
    made_write(AUTHORITY, authority);
    const copal_credentials_config_t config = {.server = server,
                                               .certificate = shows || server ? host : NULL,
                                               .authorities = shows && server ? NULL : authority};
    check_equal(copal_credentials_open(&credentials, backend, &config, NULL, 0), 0);
    unlink(host);
    unlink(authority);
    rmdir(folder);
    return credentials;
}

/* By who shows; they stay from run to run. */
static copal_credentials_t *credentials[ENDS][ENDS];

static void open_credentials(const copal_dtls_backend_t *library)
{
    made_open();
    for (unsigned shower = 0; shower < ENDS; shower++)
        for (unsigned i = 0; i < ENDS; i++)
            credentials[shower][i] =
                credentials_of(i == shower ? &copal_dtls_openssl : library, i == SERVER, i == shower);
}

static void start(trial_t *t, unsigned which, const copal_dtls_backend_t *backend)
{
    end_t *end = &t->ends[which];
    const copal_dtls_config_t config = {.backend = backend,
                                        .limits = {.sessions = 1, .handshakes = 1},
                                        .random = random_fill,
                                        .random_state = &end->random,
                                        .transmit = transmit,
                                        .deliver = deliver,
                                        .changed = changed,
                                        .served = served,
                                        .user = end};
    const size_t size = copal_dtls_size(&config.limits);
    end->trial = t;
    end->random = random_from(7 + which);
    end->address = peer_of(0x0a000001u + (which << 8));
    end->memory = calloc(1, size);
    check_equal(copal_dtls_init(&end->dtls, end->memory, size, &config), 0);
}

static void shake_hands(trial_t *t, const copal_dtls_backend_t *library)
{
    const copal_time_t now = 1000000;
    copal_peer_t peer;
    for (unsigned i = 0; i < ENDS; i++)
        start(t, i, i == t->shower ? &copal_dtls_openssl : library);
    check_equal(copal_dtls_connect(t->ends[CLIENT].dtls, now, credentials[t->shower][CLIENT], &t->ends[SERVER].address,
                                   0, t->by_address ? NULL : NAME, &peer),
                0);
    copal_dtls_run(t->ends[CLIENT].dtls, now);
    while (t->passing > 0) {
        const passing_t p = t->wire[0];
        const copal_from_t from = {.peer = t->ends[!p.to].address, .network = 3};
        memmove(t->wire, t->wire + 1, --t->passing * sizeof t->wire[0]);
        copal_dtls_receive(t->ends[p.to].dtls, now, p.to == SERVER ? credentials[t->shower][SERVER] : NULL, &from,
                           p.data, p.size);
        free(p.data);
    }
    for (unsigned i = 0; i < ENDS; i++) {
        check(copal_dtls_sessions(t->ends[i].dtls) == 0); /* what they have seen differs */
        copal_dtls_close(t->ends[i].dtls);
        free(t->ends[i].memory);
    }
}

/* ---- what is shown -------------------------------------------------------------------------------------------------------- */

static uint8_t lower(uint8_t octet)
{
    return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet | 0x20) : octet;
}

static bool is_name(copal_bytes_t octets)
{
    bool is = octets.size == sizeof NAME - 1;
    for (size_t i = 0; is && i < octets.size; i++)
        is = lower(octets.data[i]) == (uint8_t)NAME[i];
    return is;
}

static bool holds(copal_bytes_t octets, copal_bytes_t part)
{
    for (size_t i = 0; i + part.size <= octets.size; i++)
        if (memcmp(octets.data + i, part.data, part.size) == 0)
            return true;
    return false;
}

static bool holds_name(copal_bytes_t octets)
{
    for (size_t i = 0; i + sizeof NAME - 1 <= octets.size; i++)
        if (is_name((copal_bytes_t){octets.data + i, sizeof NAME - 1}))
            return true;
    return false;
}

static bool change(input_t *in, uint8_t *octets, size_t size)
{
    const unsigned changes = input_below(in, MANY);
    for (unsigned i = 0; i < changes; i++)
        octets[input_below(in, (uint32_t)size)] ^= input_octet(in);
    return changes > 0;
}

/* What the names of a certificate say, as those who know RFC 6125 read them. */
typedef struct {
    bool odd;  /* there is what nobody should write */
    bool fits; /* one of them is whom the client asks for */
    bool has_dns;
    bool is_common_name; /* the common name is */
} fit_t;

static void take_name(input_t *in, const trial_t *t, der_t *names, fit_t *fit)
{
    static const char *const texts[] = {NAME, "HOST.Site.Example", "*.site.example", "host.site.example.",
                                        "site.example"};
    const copal_peer_t *address = &t->ends[SERVER].address;
    const unsigned kind = input_below(in, 7);
    const size_t start = names->size;
    uint8_t tag = DNS_NAME;
    copal_bytes_t text = {address->data, 4};
    if (kind < 5) {
        text = copal_text(texts[kind]);
    } else if (kind == 5) {
        tag = ADDRESS;
    } else {
        tag = input_octet(in);
        text = input_take(in, input_below(in, 40));
        fit->odd = true;
    }
    const unsigned type = tag & 0x1f;
    fit->has_dns |= type == (DNS_NAME & 0x1f);
    fit->fits |= t->by_address ? type == (ADDRESS & 0x1f) && text.size == 4 && memcmp(text.data, address->data, 4) == 0
                               : type == (DNS_NAME & 0x1f) && is_name(text);
    der_add(names, text);
    der_wrap(names, start, tag);
}

static fit_t take_names(input_t *in, const trial_t *t, made_t *made, der_t *names)
{
    fit_t fit = {0};
    const unsigned common = input_below(in, 4), count = input_below(in, MANY);
    made->common_name = common == 0   ? copal_text(NAME)
                        : common == 1 ? copal_text("*.site.example")
                        : common == 2 ? input_take(in, input_below(in, 40))
                                      : NO_BYTES;
    fit.odd = common > 1;
    fit.is_common_name = !t->by_address && is_name(made->common_name);
    for (unsigned i = 0; i < count; i++)
        take_name(in, t, names, &fit);
    made->names = (copal_bytes_t){names->data, names->size};
    return fit;
}

static void add_certificate(trial_t *t, copal_bytes_t certificate)
{
    check(t->body_size + 3 + certificate.size <= sizeof t->body);
    put_24(t->body + t->body_size, certificate.size);
    memcpy(t->body + t->body_size + 3, certificate.data, certificate.size);
    t->body_size += 3 + certificate.size;
    put_24(t->body, t->body_size - 3);
}

/* The certificate, and others behind it; whether the one in between is among them. */
static bool show(trial_t *t, input_t *in, const der_t *certificate)
{
    bool is_led = false;
    const copal_bytes_t own = {certificate->data, certificate->size};
    t->body_size = 3;
    add_certificate(t, own);
    for (unsigned left = input_below(in, MANY); left > 0; left--) {
        const unsigned which = input_below(in, SIGNERS + 1);
        is_led |= which == BETWEEN;
        add_certificate(t, which == SIGNERS ? own : made_certificate(which));
    }
    return is_led;
}

static verdict_t show_made(trial_t *t, input_t *in)
{
    static const unsigned signers[] = {AUTHORITY, BETWEEN, HOST, OTHER_AUTHORITY, SELF};
    der_t content, certificate, names = {.size = 0};
    made_t made = {.signer = signers[input_below(in, 5)]};
    made.dates = input_below(in, DATES);
    made.usage = input_below(in, USAGES);
    made.purpose = input_below(in, PURPOSES);
    made.constraints = input_below(in, CONSTRAINTS);
    made.key = input_below(in, 2) ? OTHER_AUTHORITY : HOST;
    const fit_t fit = take_names(in, t, &made, &names);
    made.extension = input_take(in, input_below(in, 32));
    made_content(&content, &made);
    const bool changed_before = change(in, content.data, content.size);
    certificate = content;
    made_sign(&certificate, made.signer);
    const bool is_led = show(t, in, &certificate), changed_after = change(in, t->body, t->body_size);

    const copal_bytes_t octets = {content.data, content.size}, body = {t->body, t->body_size};
    const bool plain = !changed_before && !changed_after && !fit.odd && !made.extension.size;
    const bool trusted = made.signer == AUTHORITY || (made.signer == BETWEEN && is_led);
    const bool of_client = t->shower == CLIENT;
    const bool usable = trusted && made.dates == VALID && made.purpose != (of_client ? FOR_SERVERS : FOR_CLIENTS);
    /* A common name beside names of other kinds counts for OpenSSL, and not for Mbed TLS. */
    const bool is_named = of_client || fit.fits || (fit.is_common_name && !fit.has_dns);
    verdict_t v = {.may_be_believed = usable && is_named && made.key == HOST,
                   .must_be_believed = plain && usable && made.key == HOST && made.usage != FOR_KEYS_ONLY &&
                                       made.purpose != FOR_ANYTHING &&
                                       (fit.fits || (fit.is_common_name && !made.names.size)),
                   .is_refused_for_itself = plain && !(usable && is_named)};
    if (changed_before || made.extension.size)
        v.may_be_believed = trusted && (t->by_address || holds_name(octets));
    if (t->passes_over && changed_before) /* then the one behind it is who shows them */
        v.may_be_believed |= holds(body, made_certificate(HOST));
    if (changed_after)
        v.may_be_believed = (v.may_be_believed && holds(body, octets)) || holds(body, made_certificate(HOST));
    return v;
}

/* No octet of a key that is believed is known to who writes this. */
static verdict_t show_octets(trial_t *t, input_t *in, bool as_one)
{
    const copal_bytes_t octets = input_take(in, input_left(in));
    t->body_size = 3;
    if (as_one) {
        add_certificate(t, octets);
    } else {
        memcpy(t->body, octets.data, octets.size);
        t->body_size = octets.size;
    }
    return (verdict_t){0};
}

int certificate_shown(const copal_dtls_backend_t *library, const uint8_t *data, size_t size)
{
    static bool is_open;
    static trial_t t;
    input_t in = input_of(data, size < BODY_MOST / 2 ? size : BODY_MOST / 2);
    const uint8_t first = input_octet(&in);
    randomness_fix();
    if (!is_open)
        open_credentials(library);
    is_open = true;
    memset(&t, 0, sizeof t);
    t.shower = first & 1 ? CLIENT : SERVER;
    t.by_address = t.shower == SERVER && first & 2;
    t.passes_over = library != &copal_dtls_openssl; /* as Mbed TLS does */
    t.told = 1;
    t.ends[SERVER].address = peer_of(0x0a000001u);
    const verdict_t v = first & 4 ? show_octets(&t, &in, first & 8) : show_made(&t, &in);
    shake_hands(&t, library);
    check(t.was_shown);
    check(v.may_be_believed || !t.was_believed);
    check(!v.must_be_believed || t.was_believed || t.shower == CLIENT);
    if (v.is_refused_for_itself)
        check_equal(t.told, COPAL_ECERTIFICATE);
    return 0;
}

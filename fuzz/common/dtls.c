#include "dtls.h"

#include "input.h"
#include "randomness.h"
#include "support/bench.h"
#include "support/toy.h"

enum { SERVER, CLIENT, ENDS };
enum { WIRE = 24, DATAGRAM_MOST = 2000, TEXTS = 64, TEXT_MOST = 200, OTHERS = 2 };

typedef struct world_t world_t;

typedef struct {
    world_t *world;
    copal_dtls_t *dtls;
    void *memory;
    random_t random;
    copal_peer_t address;
    copal_credentials_t *credentials; /* borrowed */
    copal_peer_t peer; /* the session with the other end; size 0: none is known */
} end_t;

typedef struct {
    unsigned to;
    size_t size;
    uint8_t *data;
} passing_t;

struct world_t {
    copal_time_t now;
    const copal_dtls_backend_t *backend;
    copal_dtls_limits_t limits;
    end_t ends[ENDS];
    copal_credentials_t *wrong; /* borrowed */
    passing_t wire[WIRE];
    unsigned passing;
    copal_peer_t others[OTHERS];
    size_t sent[OTHERS], received[OTHERS];
    unsigned said;
    unsigned sayer[TEXTS], heard[TEXTS];
};

/* ---- the wire ------------------------------------------------------------------------------------------------------- */

static void lose(world_t *w, unsigned place)
{
    free(w->wire[place].data);
    w->passing--;
    memmove(&w->wire[place], &w->wire[place + 1], (w->passing - place) * sizeof w->wire[0]);
}

static void throw_in(world_t *w, unsigned to, copal_bytes_t bytes)
{
    if (w->passing == WIRE)
        lose(w, 0);
    w->wire[w->passing++] = (passing_t){to, bytes.size, octets_copy(bytes)};
}

static void transmit(void *user, const copal_datagram_t *datagram)
{
    end_t *end = user;
    world_t *w = end->world;
    check(datagram->bytes.size > 0);
    for (unsigned i = 0; i < ENDS; i++)
        if (peer_equal(datagram->to, &w->ends[i].address))
            throw_in(w, i, datagram->bytes);
    for (unsigned i = 0; i < OTHERS; i++) {
        if (!peer_equal(datagram->to, &w->others[i]))
            continue;
        w->received[i] += datagram->bytes.size;
        check(w->received[i] <= w->sent[i]);
    }
}

static void hand_in(world_t *w, unsigned to, const copal_peer_t *from, copal_bytes_t datagram)
{
    uint8_t *copy = octets_copy(datagram);
    const copal_from_t where = {.peer = *from, .network = 3};
    copal_dtls_receive(w->ends[to].dtls, w->now, to == SERVER ? w->ends[SERVER].credentials : NULL, &where, copy,
                       datagram.size);
    free(copy);
}

static void arrive(world_t *w, unsigned place, bool again)
{
    passing_t p = w->wire[place];
    p.data = octets_copy((copal_bytes_t){p.data, p.size});
    if (!again)
        lose(w, place);
    hand_in(w, p.to, &w->ends[!p.to].address, (copal_bytes_t){p.data, p.size});
    free(p.data);
}

/* ---- what the filters tell -------------------------------------------------------------------------------------------- */

static void deliver(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    end_t *end = user;
    world_t *w = end->world;
    check_equal(now, w->now);
    check(from->proven && message.size > 0);
    const unsigned number = message.data[0];
    check(number < w->said && message.size <= TEXT_MOST);
    for (size_t i = 1; i < message.size; i++)
        check_equal(message.data[i], (uint8_t)(number + i));
    check_equal(w->sayer[number], end == &w->ends[SERVER] ? CLIENT : SERVER);
    check_equal(++w->heard[number], 1);
    check(memcmp(from->peer.data, w->ends[w->sayer[number]].address.data, 6) == 0);
    if (end == &w->ends[SERVER])
        end->peer = from->peer;
}

static void changed(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    const end_t *end = user;
    (void)peer, (void)reason;
    check_equal(now, end->world->now);
    check(status <= 0);
}

/* ---- both ends -------------------------------------------------------------------------------------------------------- */

static void start(world_t *w, unsigned which)
{
    end_t *end = &w->ends[which];
    const copal_dtls_config_t config = {.backend = w->backend,
                                        .limits = w->limits,
                                        .random = random_fill,
                                        .random_state = &end->random,
                                        .transmit = transmit,
                                        .deliver = deliver,
                                        .changed = changed,
                                        .user = end};
    const size_t size = copal_dtls_size(&w->limits);
    end->memory = calloc(1, size);
    end->peer = (copal_peer_t){0};
    check_equal(copal_dtls_init(&end->dtls, end->memory, size, &config), 0);
}

static void stop(world_t *w, unsigned which)
{
    copal_dtls_close(w->ends[which].dtls);
    free(w->ends[which].memory);
}

static void say(world_t *w, unsigned who, size_t size)
{
    uint8_t text[TEXT_MOST], buffer[TEXT_MOST + COPAL_DTLS_OVERHEAD];
    end_t *end = &w->ends[who];
    copal_datagram_t out;
    if (end->peer.size == 0 || w->said == TEXTS)
        return;
    const unsigned number = w->said++;
    w->sayer[number] = who;
    for (size_t i = 0; i < size; i++)
        text[i] = (uint8_t)(number + i);
    const copal_datagram_t message = {.to = &end->peer, .bytes = {text, size}};
    const int status = copal_dtls_protect(end->dtls, w->now, &message, buffer, &out);
    check(status == 0 || status == 1 || status == COPAL_ESTALE);
    if (status == 0)
        transmit(end, &out);
}

static void connect_with(world_t *w, copal_credentials_t *credentials, const char *name)
{
    end_t *client = &w->ends[CLIENT];
    copal_peer_t peer;
    const int status =
        copal_dtls_connect(client->dtls, w->now, credentials, &w->ends[SERVER].address, 0, name, &peer);
    check(status == 0 || status == COPAL_EEXIST || status == COPAL_EFULL);
    if (status == 0)
        client->peer = peer;
}

static void run_due(world_t *w)
{
    for (unsigned i = 0; i < ENDS; i++) {
        copal_dtls_run(w->ends[i].dtls, w->now);
        check(copal_dtls_next_timeout(w->ends[i].dtls) > w->now);
        check(copal_dtls_sessions(w->ends[i].dtls) <= w->limits.sessions);
        check(copal_dtls_handshakes(w->ends[i].dtls) <= w->limits.handshakes);
    }
}

static void wait_until_due(world_t *w)
{
    const copal_time_t a = copal_dtls_next_timeout(w->ends[SERVER].dtls), b = copal_dtls_next_timeout(w->ends[CLIENT].dtls);
    const copal_time_t next = a < b ? a : b;
    w->now = next == COPAL_NEVER ? w->now + 60000 : next;
}

/* All that is under way arrives. */
static void calm(world_t *w)
{
    for (unsigned turns = 0; turns < 60 && w->passing > 0; turns++) {
        arrive(w, 0, false);
        run_due(w);
    }
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

static void pass(world_t *w, input_t *in, uint32_t how)
{
    if (w->passing == 0)
        return;
    const unsigned place = how == 0 ? 0 : input_below(in, w->passing);
    passing_t *p = &w->wire[place];
    switch (how) {
    case 3:
        lose(w, place);
        return;
    case 4: /* another octet, and it stays so */
        p->data[input_below(in, (uint32_t)p->size)] ^= input_octet(in);
        break;
    case 5: /* the rest is cut off */
        p->size = input_below(in, (uint32_t)p->size) + 1;
        break;
    case 6: { /* its records go with those of another */
        const passing_t *q = &w->wire[input_below(in, w->passing)];
        const size_t size = p->size + q->size;
        if (size > DATAGRAM_MOST)
            break;
        uint8_t *both = malloc(size);
        memcpy(both, p->data, p->size);
        memcpy(both + p->size, q->data, q->size);
        free(p->data);
        p->data = both;
        p->size = size;
        break;
    }
    default:
        arrive(w, place, how == 2);
    }
}

/* Others send octets of their own, or what they have seen on the wire. */
static void others_send(world_t *w, input_t *in)
{
    const unsigned other = input_below(in, OTHERS + ENDS), to = input_below(in, ENDS);
    copal_bytes_t datagram = input_take(in, input_below(in, 100));
    if (datagram.size == 0 && w->passing > 0) {
        const passing_t *p = &w->wire[input_below(in, w->passing)];
        datagram = (copal_bytes_t){p->data, p->size};
    }
    if (other < OTHERS && to == SERVER)
        w->sent[other] += datagram.size;
    if (other < OTHERS ? to == SERVER : other - OTHERS != to)
        hand_in(w, to, other < OTHERS ? &w->others[other] : &w->ends[other - OTHERS].address, datagram);
}

/* A record that looks as if it were of the session, or of a handshake: header of the input's, and some content. */
static void others_forge(world_t *w, input_t *in)
{
    uint8_t record[13 + 64];
    const unsigned to = input_below(in, ENDS);
    const uint8_t first = input_octet(in);
    const copal_bytes_t content = input_take(in, first >> 2);
    static const uint8_t types[] = {20, 21, 22, 23};
    const uint8_t head[13] = {types[first & 3], 0xfe, 0xfd, 0, input_octet(in) & 1, 0, 0, 0, 0, 0, input_octet(in), 0,
                              (uint8_t)content.size};
    memcpy(record, head, sizeof head);
    if (content.size)
        memcpy(record + sizeof head, content.data, content.size);
    hand_in(w, to, &w->ends[!to].address, (copal_bytes_t){record, sizeof head + content.size});
}

static void step(world_t *w, input_t *in)
{
    const uint32_t what = input_below(in, 20);
    if (what < 7)
        pass(w, in, what);
    else if (what < 9)
        calm(w);
    else if (what == 9)
        wait_until_due(w);
    else if (what == 10)
        w->now += input_octet(in) * 500;
    else if (what == 11)
        say(w, CLIENT, 1 + input_below(in, TEXT_MOST));
    else if (what == 12)
        say(w, SERVER, 1 + input_below(in, TEXT_MOST));
    else if (what == 13)
        connect_with(w, w->ends[CLIENT].credentials, NULL);
    else if (what == 14)
        connect_with(w, input_octet(in) & 1 ? w->wrong : w->ends[CLIENT].credentials, "name");
    else if (what == 15)
        copal_dtls_disconnect(w->ends[input_below(in, ENDS)].dtls, w->now, w->ends[CLIENT].credentials);
    else if (what == 16)
        others_send(w, in);
    else if (what == 17)
        others_forge(w, in);
    else if (what == 18 && w->passing > 0) {
        const passing_t *p = &w->wire[input_below(in, w->passing)];
        copal_dtls_unreachable(w->ends[!p->to].dtls, w->now, &w->ends[p->to].address, (copal_bytes_t){p->data, p->size});
    } else if (what == 19) {
        const unsigned which = input_below(in, ENDS);
        stop(w, which);
        start(w, which);
    }
    run_due(w);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static copal_credentials_t *credentials_of(const copal_dtls_backend_t *backend, bool server, const char *key)
{
    copal_credentials_t *credentials;
    const copal_credentials_config_t config = {
        .server = server, .key = copal_text(key), .identity = server ? NO_BYTES : copal_text("somebody")};
    check_equal(copal_credentials_open(&credentials, backend, &config, NULL, 0), 0);
    return credentials;
}

enum { WRONG = ENDS, CREDENTIALS };

/* They stay from run to run, since those of a library take their time. */
static copal_credentials_t *credentials_by(const copal_dtls_backend_t *backend, unsigned which)
{
    static copal_credentials_t *kept[2][CREDENTIALS];
    copal_credentials_t **place = &kept[backend == &toy_dtls][which];
    if (!*place)
        *place = credentials_of(backend, which == SERVER, which == WRONG ? "other" : "secret");
    return *place;
}

static void open_world(world_t *w, const copal_dtls_backend_t *library, uint8_t first)
{
    randomness_fix();
    toy_reset(1);
    *w = (world_t){.now = 1000000, .backend = first & 1 ? library : &toy_dtls};
    w->limits = (copal_dtls_limits_t){.sessions = first & 4 ? 1 : 3, .handshakes = first & 4 ? 1 : 4};
    w->wrong = credentials_by(w->backend, WRONG);
    for (unsigned i = 0; i < ENDS; i++) {
        w->ends[i] = (end_t){.world = w, .random = random_from(7 + i), .address = peer_of(0x0a000001u + (i << 8))};
        w->ends[i].credentials = credentials_by(w->backend, i);
        start(w, i);
    }
    for (unsigned i = 0; i < OTHERS; i++)
        w->others[i] = peer_of(0x0c000001u + (i << 8));
    if (!(first & 2))
        return;
    connect_with(w, w->ends[CLIENT].credentials, NULL);
    say(w, CLIENT, 8);
    run_due(w);
    calm(w);
    check_equal(w->heard[0], 1);
}

static void close_world(world_t *w)
{
    while (w->passing > 0)
        lose(w, 0);
    for (unsigned i = 0; i < ENDS; i++)
        stop(w, i);
    check_equal(toy.handshakes + toy.ciphers, 0);
}

int dtls_steps(const copal_dtls_backend_t *library, const uint8_t *data, size_t size)
{
    static world_t w;
    input_t in = input_of(data, size);
    open_world(&w, library, input_octet(&in));
    while (input_left(&in) > 0)
        step(&w, &in);
    close_world(&w);
    return 0;
}

/* The loop of `copal bench`: places for requests, each of which asks when it is free and a request is due. */
#define _GNU_SOURCE 1
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SECOND      INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define NEVER       INT64_MAX
#define TICK        (10 * MILLISECOND) /* from one look at all timers to the next */
#define FRESH_AFTER (300 * SECOND)     /* EXCHANGE_LIFETIME and what is retransmitted last (RFC 7252 section 4.8.2) */

enum { PEERS = 8, HANDSHAKES = 16 /* at a time */, LOOK = 2000 /* milliseconds for a ping that chooses an address */ };

typedef struct load_t load_t;

typedef struct {
    load_t *load;
    tool_port_t *port, *spare; /* spare: the next; NULL: it is not needed yet */
} lane_t;

/** A place for a request. */
typedef struct slot_t {
    copal_receiver_t receiver; /* first */
    lane_t *lane;
    tool_port_t *port;   /* that its request left by */
    struct slot_t *next; /* of those that are free, or rest */
    int64_t planned, sent;
    bool measured;
} slot_t;

struct load_t {
    const tool_bench_t *bench;
    tool_tally_t *tally;
    copal_ask_t ask;
    int64_t start, begin, end; /* of the plan, of the measurement */
    uint64_t planned;          /* requests of the plan that were sent */
    uint64_t open;             /* requests without an outcome */
    uint64_t retransmitted;    /* before the measurement */
    double cpu;                /* seconds, likewise */
    bool begun, answered, over;
    lane_t *lanes;
    slot_t *slots, *first, *last, *resting; /* free ones in turn */
    int64_t free_since;                     /* when there was one again */
    tool_port_t **ports, *retired, *last_retired, *touched;
    struct pollfd *fds; /* of the ports */
    size_t count, capacity;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int64_t clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static int64_t now_is(void)
{
    return clock_of(CLOCK_MONOTONIC);
}

static void fail(load_t *load, int error, const char *problem)
{
    if (load->over && load->tally->error)
        return;
    load->tally->error = error;
    load->tally->reason = errno;
    snprintf(load->tally->problem, sizeof load->tally->problem, "%s", problem ? problem : "");
    load->over = true;
}

/* ---- places ------------------------------------------------------------------------------------------------- */

static void free_slot(load_t *load, slot_t *slot, int64_t now)
{
    slot->next = NULL;
    if (load->first)
        load->last->next = slot;
    else
        load->first = slot;
    if (load->first == slot)
        load->free_since = now;
    load->last = slot;
}

/** Until the next tick: what fails at once is not to be tried without end. */
static void rest_slot(load_t *load, slot_t *slot)
{
    slot->next = load->resting;
    load->resting = slot;
}

static void touch(load_t *load, tool_port_t *port)
{
    if (port->touched)
        return;
    port->touched = true;
    port->next_touched = load->touched;
    load->touched = port;
}

/* ---- ports -------------------------------------------------------------------------------------------------- */

static void watch(load_t *load, tool_port_t *port)
{
    const bool wanted = !port->retired || port->open;
    load->fds[port->index] = (struct pollfd){.fd = wanted ? port->fd : -1, .events = POLLIN};
}

static bool add(load_t *load, tool_port_t *port)
{
    if (load->count == load->capacity) {
        const size_t capacity = load->capacity ? 2 * load->capacity : 16;
        tool_port_t **ports = realloc(load->ports, capacity * sizeof(tool_port_t *));
        load->ports = ports ? ports : load->ports;
        struct pollfd *fds = ports ? realloc(load->fds, capacity * sizeof *fds) : NULL;
        if (!fds)
            return false;
        load->fds = fds;
        load->capacity = capacity;
    }
    port->index = load->count;
    load->ports[load->count++] = port;
    watch(load, port);
    return true;
}

/** One whose message IDs may be used: the one retired longest ago, if that is long enough, else a new one. NULL: it failed. */
static tool_port_t *fresh_port(load_t *load)
{
    tool_port_t *port = load->retired;
    if (port && now_is() - port->retired > FRESH_AFTER) {
        load->retired = port->next;
        port->retired = 0;
        port->asked = 0;
        watch(load, port);
        return port;
    }
    port = tool_port_open(load->bench);
    if (!port || !add(load, port)) {
        fail(load, errno ? COPAL_ESYSTEM : COPAL_ENOMEM, NULL);
        if (port)
            tool_port_close(port, load->bench);
        return NULL;
    }
    load->tally->ports = load->count;
    return port;
}

static void connect_port(load_t *load, tool_port_t *port)
{
    if (port->ready || port->connecting)
        return;
    const int status = tool_port_connect(port, load->bench);
    if (status < 0)
        fail(load, status, NULL);
    touch(load, port);
}

static void retire(load_t *load, tool_port_t *port)
{
    port->retired = now_is();
    port->next = NULL;
    if (load->retired)
        load->last_retired->next = port;
    else
        load->retired = port;
    load->last_retired = port;
    watch(load, port);
}

/** Moves on to the next port, where the message IDs of this one are used up; a session for it is begun long before. Whether the
 *  lane may ask. */
static bool prepare(load_t *load, lane_t *lane)
{
    const bool worn = lane->port->asked >= TOOL_PORT_REQUESTS;
    if (!lane->spare && (worn || (load->ask.credentials && lane->port->asked >= TOOL_PORT_REQUESTS / 2)))
        lane->spare = fresh_port(load);
    if (lane->spare)
        connect_port(load, lane->spare);
    if (worn && lane->spare && lane->spare->ready) {
        retire(load, lane->port);
        lane->port = lane->spare;
        lane->spare = NULL;
    }
    return lane->port->ready && lane->port->asked < TOOL_PORT_REQUESTS;
}

/* ---- asking --------------------------------------------------------------------------------------------------- */

/** When the next request is planned; of a closed loop, that is now. */
static int64_t next_time(const load_t *load, int64_t now)
{
    return load->bench->rate > 0 ? load->start + (int64_t)((double)load->planned * 1e9 / load->bench->rate) : now;
}

static bool is_due(const load_t *load, int64_t now, int64_t *planned)
{
    if (load->over || now >= load->end || (load->bench->count && load->tally->requests == load->bench->count))
        return false;
    *planned = next_time(load, now);
    return *planned <= now;
}

/** What there is to say of a request that leaves behind its time. */
static void note_delay(load_t *load, int64_t planned, int64_t now, bool waited)
{
    tool_tally_t *tally = load->tally;
    const int64_t delay = now - planned;
    if (delay <= MILLISECOND)
        return;
    tally->held += waited;
    tally->late += !waited;
    if (!waited && delay > tally->latest)
        tally->latest = delay;
}

/** Asks by a place that is free. False: it cannot now. */
static bool ask(load_t *load, slot_t *slot, int64_t planned, int64_t now, bool waited)
{
    tool_port_t *port = slot->lane->port;
    const int status = copal_host_request(port->host, &load->ask, &slot->receiver, NULL);
    if (status < 0 && status != COPAL_EFULL) /* else its message IDs are used up before their time */
        fail(load, status, NULL);
    if (status < 0) {
        port->asked = TOOL_PORT_REQUESTS;
        return false;
    }
    slot->port = port;
    slot->planned = planned;
    slot->sent = now;
    slot->measured = planned >= load->begin;
    load->planned++;
    load->open++;
    port->asked++;
    port->open++;
    if (slot->measured) {
        load->tally->requests++;
        note_delay(load, planned, now, waited);
    }
    return true;
}

/** Lets the free places ask for what is due. */
static void dispatch(load_t *load)
{
    int64_t now = now_is(), planned;
    while (load->first && is_due(load, now, &planned)) {
        slot_t *slot = load->first;
        load->first = slot->next;
        if (prepare(load, slot->lane) && ask(load, slot, planned, now, planned < load->free_since))
            touch(load, slot->lane->port);
        else
            rest_slot(load, slot);
        now = now_is();
    }
}

/* ---- outcomes --------------------------------------------------------------------------------------------------- */

static bool is_first_block(const copal_message_t *message)
{
    copal_option_t block;
    return copal_option_find(message, COPAL_OPTION_BLOCK2, &block) && (copal_option_uint(&block) & 8u);
}

static void count_answer(const load_t *load, const slot_t *slot, const copal_message_t *message, int64_t now)
{
    tool_tally_t *tally = load->tally;
    tally->answers++;
    tally->codes[message->code]++;
    tally->in_time += now <= load->end;
    tally->first_blocks += is_first_block(message);
    if (COPAL_CODE_CLASS(message->code) != 2)
        return;
    tool_histogram_add(&tally->latency, now - slot->planned);
    if (load->bench->rate > 0)
        tool_histogram_add(&tally->service, now - slot->sent);
}

static void count_failure(tool_tally_t *tally, int status)
{
    switch (status) {
    case COPAL_ETIMEOUT:
        tally->time_outs++;
        break;
    case COPAL_ERESET:
        tally->resets++;
        break;
    case COPAL_EUNREACHABLE:
        tally->unreachable++;
        break;
    case COPAL_EHANDSHAKE:
    case COPAL_ECERTIFICATE:
    case COPAL_ECLOSED:
    case COPAL_ESTALE:
        tally->sessions++;
        break;
    default:
        tally->others++;
    }
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    slot_t *slot = (slot_t *)self;
    load_t *load = slot->lane->load;
    tool_port_t *port = slot->port;
    const int64_t now = now_is();
    int64_t planned;
    load->open--;
    port->open--;
    load->answered |= response->status == 0;
    if (slot->measured && response->message)
        count_answer(load, slot, response->message, now);
    else if (slot->measured)
        count_failure(load->tally, response->status);
    if (!load->answered && response->status != COPAL_ETIMEOUT)
        fail(load, response->status, copal_host_problem(port->host));
    if (response->status != 0 && response->status != COPAL_ETIMEOUT)
        rest_slot(load, slot);
    else if (port != slot->lane->port || port->asked >= TOOL_PORT_REQUESTS || !is_due(load, now, &planned) ||
             !ask(load, slot, planned, now, !load->first))
        free_slot(load, slot, now);
}

/* ---- turns -------------------------------------------------------------------------------------------------------- */

static void step(load_t *load, tool_port_t *port)
{
    if (copal_host_step(port->host, 0) < 0)
        fail(load, COPAL_ESYSTEM, NULL);
    if (port->fd < 0) {
        tool_port_find_socket(port);
        watch(load, port);
    }
    if (port->status < 0 && !load->answered) /* else it is tried again */
        fail(load, port->status, port->problem);
    port->status = 0;
}

static void step_touched(load_t *load)
{
    while (load->touched) {
        tool_port_t *port = load->touched;
        load->touched = port->next_touched;
        port->touched = false;
        step(load, port);
    }
}

/** Timers are those of retransmissions, time-outs and handshakes: seconds, not what latency is made of. */
static void tick(load_t *load, int64_t now)
{
    for (size_t i = 0; i < load->count; i++) {
        watch(load, load->ports[i]);
        if (load->fds[i].fd >= 0 && copal_host_timeout(load->ports[i]->host) == 0)
            step(load, load->ports[i]);
    }
    while (load->resting) {
        slot_t *slot = load->resting;
        load->resting = slot->next;
        free_slot(load, slot, now);
    }
}

/** Sleeps until something comes, or until `until`; serves what came. Signals come through only here. */
static void sleep_and_serve(load_t *load, int64_t until, const sigset_t *mask)
{
    const int64_t left = until - now_is();
    const struct timespec wait = {left > 0 ? left / SECOND : 0, left > 0 ? left % SECOND : 0};
    int ready = ppoll(load->fds, load->count, &wait, mask);
    if (ready < 0 && errno != EINTR)
        fail(load, COPAL_ESYSTEM, NULL);
    for (size_t i = 0; i < load->count && ready > 0; i++) {
        if (!load->fds[i].revents)
            continue;
        ready--;
        step(load, load->ports[i]);
    }
}

static uint64_t retransmitted(const load_t *load)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < load->count; i++)
        sum += tool_port_retransmitted(load->ports[i]);
    return sum;
}

static double cpu_seconds(void)
{
    return (double)clock_of(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

/** How long to sleep at most: until a tick, a planned request, or the end. */
static int64_t until_when(const load_t *load, int64_t now, int64_t look)
{
    int64_t until = look;
    if (load->first && load->bench->rate > 0 && now < load->end) {
        const int64_t next = next_time(load, now);
        until = next < until ? next : until;
    }
    return load->end > now && load->end < until ? load->end : until;
}

/** Whether all is done: no more is to be asked, and nothing is open. */
static bool is_done(const load_t *load, int64_t now)
{
    const tool_bench_t *bench = load->bench;
    const bool asked = now >= load->end || (bench->count && load->tally->requests == bench->count);
    return interrupted || load->over || (asked && load->open == 0);
}

/** The plan begins anew: what an overload in the warm-up has left undone is not measured. */
static void begin(load_t *load)
{
    load->begun = true;
    load->start = load->begin;
    load->planned = 0;
    load->retransmitted = retransmitted(load);
    load->cpu = cpu_seconds();
}

static void turn_until_done(load_t *load, const sigset_t *mask,
                            void (*tell)(const tool_tally_t *tally, double seconds, double rate))
{
    int64_t now = now_is(), look = now, told = load->begin;
    uint64_t before = 0;
    for (; !is_done(load, now); now = now_is()) {
        if (!load->begun && now >= load->begin)
            begin(load);
        if (now >= look) {
            tick(load, now);
            look = now + TICK;
        }
        dispatch(load);
        step_touched(load);
        sleep_and_serve(load, until_when(load, now, look), mask);
        if (now - told >= SECOND) {
            tell(load->tally, (double)(now - load->begin) / 1e9,
                 (double)(load->tally->answers - before) * 1e9 / (double)(now - told));
            before = load->tally->answers;
            told = now;
        }
    }
}

/* ---- before and after ------------------------------------------------------------------------------------------------ */

/** Begins all sessions, some at a time: a server has room for so many handshakes only. */
static void connect_lanes(load_t *load, const sigset_t *mask)
{
    const int64_t start = now_is();
    for (bool all = false; !all && !load->over && !interrupted;) {
        unsigned busy = 0;
        all = true;
        for (uint64_t i = 0; i < load->bench->sockets; i++) {
            tool_port_t *port = load->lanes[i].port;
            if (busy < HANDSHAKES)
                connect_port(load, port);
            busy += port->connecting;
            all = all && port->ready;
        }
        step_touched(load);
        tick(load, now_is());
        if (!all)
            sleep_and_serve(load, now_is() + TICK, mask);
    }
    load->tally->connecting = load->ask.credentials ? (double)(now_is() - start) / 1e9 : 0;
}

/** Of the addresses of a name the first that can be reached. */
static int choose_peer(const tool_bench_t *bench, copal_peer_t *peer)
{
    copal_peer_t peers[PEERS];
    const int count = copal_peers_from_uri(peers, PEERS, bench->request.ask.uri);
    copal_host_t *host = count > 1 ? tool_open_client(&bench->request) : NULL;
    copal_ask_t ping = {
        .uri = bench->request.ask.uri, .credentials = bench->request.ask.credentials, .ping = true, .timeout = LOOK};
    int chosen = 0;
    for (bool found = false; host && !found && chosen < count; chosen += !found) {
        copal_answer_t answer;
        ping.to = &peers[chosen];
        found = copal_host_ask(host, &ping, &answer) != COPAL_EUNREACHABLE;
        copal_answer_free(&answer);
    }
    if (host)
        tool_close_client(&bench->request, host);
    *peer = peers[chosen < count ? chosen : 0];
    return count < 0 ? count : 0;
}

/** Each port takes two descriptors, and a shell allows a thousand. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* a wish: what is refused shows itself by EMFILE */
    }
}

static void open_lanes(load_t *load)
{
    const tool_bench_t *bench = load->bench;
    const size_t places = bench->sockets * bench->outstanding;
    load->lanes = calloc(bench->sockets, sizeof *load->lanes);
    load->slots = calloc(places, sizeof *load->slots);
    if (!load->lanes || !load->slots) {
        fail(load, COPAL_ENOMEM, NULL);
        return;
    }
    for (uint64_t i = 0; i < bench->sockets && !load->over; i++)
        load->lanes[i] = (lane_t){.load = load, .port = fresh_port(load)};
    for (size_t i = 0; i < places; i++) { /* so that the lanes ask in turn */
        load->slots[i].lane = &load->lanes[i % bench->sockets];
        load->slots[i].receiver.receive = receive;
        free_slot(load, &load->slots[i], INT64_MIN);
    }
}

/** `ended`: nanoseconds, when the last was sent, or came. */
static void sum_up(load_t *load, int64_t now)
{
    tool_tally_t *tally = load->tally;
    const int64_t ended = now < load->end ? now : load->end;
    const uint64_t outcomes =
        tally->answers + tally->time_outs + tally->resets + tally->unreachable + tally->sessions + tally->others;
    tally->seconds = load->begun ? (double)(ended - load->begin) / 1e9 : 0;
    tally->cpu = load->begun ? cpu_seconds() - load->cpu : 0;
    tally->retransmitted = load->begun ? retransmitted(load) - load->retransmitted : 0;
    tally->open = tally->requests - outcomes;
    tally->interrupted = interrupted;
    if (load->bench->rate > 0 && load->begun && !(load->bench->count && tally->requests == load->bench->count)) {
        const uint64_t planned = (uint64_t)((double)(ended - load->begin) * load->bench->rate / 1e9);
        tally->unsent = planned > load->planned ? planned - load->planned : 0;
    }
}

static void run(load_t *load, const sigset_t *mask,
                void (*tell)(const tool_tally_t *tally, double seconds, double rate))
{
    const tool_bench_t *bench = load->bench;
    open_lanes(load);
    if (!load->over)
        connect_lanes(load, mask);
    load->start = now_is();
    load->begin = load->start + bench->warm_up * MILLISECOND;
    load->end = bench->timed ? load->begin + bench->duration * MILLISECOND : NEVER;
    turn_until_done(load, mask, tell);
    sum_up(load, now_is());
    for (size_t i = 0; i < load->count; i++)
        tool_port_close(load->ports[i], bench);
    free(load->ports);
    free(load->fds);
    free(load->lanes);
    free(load->slots);
}

void tool_load(const tool_bench_t *bench, tool_tally_t *tally,
               void (*tell)(const tool_tally_t *tally, double seconds, double rate))
{
    copal_peer_t peer;
    load_t load = {.bench = bench, .tally = tally, .ask = bench->request.ask, .end = NEVER};
    struct sigaction action = {.sa_handler = interrupt};
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    int error = choose_peer(bench, &peer);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    load.ask.to = &peer;
    allow_descriptors();
    if (error < 0)
        fail(&load, error, NULL);
    else
        run(&load, &before, tell);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

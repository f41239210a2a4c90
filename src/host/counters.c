/* What a host counts: summed over its workers, and listed for whoever shows it. */
#define _GNU_SOURCE 1
#include "copal/counters.h"
#include "host.h"

#include <string.h>

/* ---- sums ------------------------------------------------------------------------------------------ */

/* Counters are structs of nothing else. */
static void add(void *sums, const void *counters, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t sum, more;
        memcpy(&sum, (uint8_t *)sums + at, sizeof sum);
        memcpy(&more, (const uint8_t *)counters + at, sizeof more);
        sum += more;
        memcpy((uint8_t *)sums + at, &sum, sizeof sum);
    }
}

static void add_side(copal_host_counters_t *c, const copal__side_t *side, copal_counters_t *endpoint,
                     copal_dtls_counters_t *dtls, copal_socket_counters_t *sockets)
{
    add(endpoint, copal_endpoint_counters(side->endpoint), sizeof *endpoint);
    add(sockets, &side->counters, sizeof *sockets);
    for (uint8_t i = 0; i < side->count; i++)
        sockets->overflowed += copal__udp_overflowed(side->sockets[i].fd);
    if (!side->dtls)
        return;
    add(dtls, copal_dtls_counters(side->dtls), sizeof *dtls);
    c->sessions += copal_dtls_sessions(side->dtls);
    c->handshakes += copal_dtls_handshakes(side->dtls);
}

void copal_host_counters(copal_host_t *host, copal_host_counters_t *c)
{
    memset(c, 0, sizeof *c);
    c->uploads = copal_tree_uploads(host->tree);
    for (uint32_t i = 0; i < host->worker_count; i++) {
        copal__worker_t *worker = &host->workers[i];
        copal__worker_enter(worker);
        add_side(c, &worker->server, &c->server, &c->server_dtls, &c->server_sockets);
        c->observers += copal_endpoint_observers(worker->server.endpoint);
        c->pending += copal_endpoint_pending(worker->server.endpoint);
        if (worker->client) {
            add_side(c, worker->client, &c->client, &c->client_dtls, &c->client_sockets);
            c->requests += copal_endpoint_pending(worker->client->endpoint);
        }
        copal__worker_leave(worker);
    }
}

/* ---- the list --------------------------------------------------------------------------------------- */

typedef struct {
    size_t at; /* where it stands in the counters of its room */
    const char *name, *metric, *label, *text;
} row_t;

#define ROW(field, text)                       {offsetof(ROOM, field), #field, #field "_total", NULL, text}
#define PART(field, name, metric, label, text) {offsetof(ROOM, field), name, metric "_total", label, text}
#define METHOD(code, name, NAME)                                                                                  \
    PART(requests[code], "requests_" name, "requests", "method=\"" NAME "\"", "Requests that came, by method")
#define CLASS(index, class_)                                                                                      \
    PART(answers[index], "answers_" class_, "answers", "class=\"" class_ "\"", "Answers to requests, by class of code")

#define ROOM copal_counters_t
static const row_t endpoint_rows[] = {
    PART(received, "received", "messages_received", NULL, "Messages that came"),
    PART(sent, "sent", "messages_sent", NULL, "Messages that left"),
    ROW(malformed, "Messages rejected or ignored for their form"),
    ROW(ignored, "Well-formed messages that nothing was to be done about"),
    ROW(resets, "Resets that came for messages of ours"),
    METHOD(COPAL_GET, "get", "GET"),
    METHOD(COPAL_POST, "post", "POST"),
    METHOD(COPAL_PUT, "put", "PUT"),
    METHOD(COPAL_DELETE, "delete", "DELETE"),
    METHOD(COPAL_FETCH, "fetch", "FETCH"),
    METHOD(COPAL_PATCH, "patch", "PATCH"),
    METHOD(COPAL_IPATCH, "ipatch", "iPATCH"),
    METHOD(0, "unknown", "unknown"),
    CLASS(0, "2xx"),
    CLASS(1, "4xx"),
    CLASS(2, "5xx"),
    ROW(duplicates, "Requests recognised as duplicates"),
    ROW(retransmitted, "Messages sent again"),
    ROW(unacknowledged, "Confirmable messages given up"),
    ROW(unanswered, "Deferred calls dropped since nobody answered them"),
    ROW(challenged, "Requests answered 4.01 with Echo"),
    ROW(refused, "Requests answered 5.03 or 4.29"),
    ROW(dropped, "Answers that had no message ID or no room to wait"),
    ROW(notifications, "Notifications sent"),
    ROW(unobserved, "Requests to observe that there was no room for"),
    ROW(withheld, "Answers cut, challenged or dropped for an unproven address"),
    ROW(cut, "Networks that have spent what may go to unproven addresses"),
    ROW(forgotten, "Entries against duplicates that made room early"),
    ROW(displaced, "Proofs of addresses that made room for others"),
};
#undef ROOM
#define ROOM copal_dtls_counters_t
#define DTLS(field, text) PART(field, "dtls_" #field, "dtls_" #field, NULL, text)
static const row_t dtls_rows[] = {
    DTLS(hellos, "ClientHellos answered without state"),
    DTLS(begun, "DTLS handshakes begun"),
    DTLS(completed, "DTLS handshakes completed"),
    DTLS(failed, "DTLS handshakes failed, timed out or given up"),
    DTLS(evicted, "DTLS sessions that made room for others"),
    DTLS(dropped, "Records replayed, forged, malformed or of no session"),
};
#undef ROOM
#define ROOM copal_socket_counters_t
static const row_t socket_rows[] = {
    ROW(overflowed, "Datagrams that the system dropped before they were read"),
    ROW(unsent, "Datagrams that the system had no room for"),
    ROW(unreachable, "Datagrams that cannot get where they go"),
};
#undef ROOM
#define ROOM copal_host_counters_t
#define GAUGE(field, text) {offsetof(ROOM, field), #field, #field, NULL, text}
static const row_t gauge_rows[] = {
    GAUGE(observers, "Observations that peers have"),
    GAUGE(pending, "Messages and calls of the server under way"),
    GAUGE(requests, "Requests of the client under way"),
    GAUGE(uploads, "Bodies of requests that are coming in"),
    GAUGE(sessions, "DTLS sessions"),
    GAUGE(handshakes, "DTLS handshakes under way"),
};

/* Rows, and where the counters of each side begin that they are about. */
static const struct {
    const row_t *rows;
    size_t count, server, client;
} rooms[] = {
    {endpoint_rows, sizeof endpoint_rows / sizeof(row_t), offsetof(ROOM, server), offsetof(ROOM, client)},
    {dtls_rows, sizeof dtls_rows / sizeof(row_t), offsetof(ROOM, server_dtls), offsetof(ROOM, client_dtls)},
    {socket_rows, sizeof socket_rows / sizeof(row_t), offsetof(ROOM, server_sockets), offsetof(ROOM, client_sockets)},
};

static void tell(copal_count_t *count, const row_t *row, const char *side, const copal_host_counters_t *c, size_t start)
{
    *count = (copal_count_t){.side = side, .name = row->name, .metric = row->metric, .label = row->label, .text = row->text};
    memcpy(&count->value, (const uint8_t *)c + start + row->at, sizeof count->value);
}

bool copal_counters_at(const copal_host_counters_t *c, size_t index, copal_count_t *count)
{
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        if (index < 2 * rooms[i].count) {
            const bool client = index % 2;
            tell(count, &rooms[i].rows[index / 2], client ? "client" : "server", c, client ? rooms[i].client : rooms[i].server);
            return true;
        }
        index -= 2 * rooms[i].count;
    }
    if (index >= sizeof gauge_rows / sizeof *gauge_rows)
        return false;
    tell(count, &gauge_rows[index], "", c, 0);
    count->gauge = true;
    return true;
}

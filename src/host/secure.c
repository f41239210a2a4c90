/* The secured sockets of a side: records between them and the endpoint's messages, by the filter. */
#define _GNU_SOURCE 1
#include "side.h"

static void transmit(void *user, const copal_datagram_t *datagram)
{
    copal__side_transmit(user, datagram);
}

static void deliver(void *user, copal_time_t now, const copal_from_t *from, copal_bytes_t message)
{
    copal__side_take(user, now, from, message);
}

/* What this is about hears of it within. */
static void changed(void *user, copal_time_t now, const copal_peer_t *peer, int status, const char *reason)
{
    copal__side_t *side = user;
    if (status == 0) {
        copal_endpoint_renewed(side->endpoint, now, peer);
        return;
    }
    side->reason = reason;
    copal_endpoint_lost(side->endpoint, now, peer, status);
    side->reason = NULL;
}

static void served(void *user, const copal_peer_t *address, int status, const char *reason)
{
    const copal__side_t *side = user;
    const bool ended = status == COPAL_ECLOSED || status == COPAL_ESTALE;
    const copal_event_t event = {
        .kind = status == 0 ? COPAL_SESSION_BEGUN
                : ended     ? COPAL_SESSION_ENDED
                            : COPAL_HANDSHAKE_FAILED,
        .peer = address,
        .status = status,
        .reason = reason,
    };
    side->event(side->user, &event);
}

int copal__side_secure(copal__side_t *side, void *memory, size_t size, copal_dtls_config_t *config)
{
    config->transmit = transmit;
    config->deliver = deliver;
    config->changed = changed;
    config->served = side->event ? served : NULL;
    config->user = side;
    return copal_dtls_init(&side->dtls, memory, size, config);
}

bool copal__side_protect(copal__side_t *side, size_t index, copal_time_t now, copal_datagram_t *datagram)
{
    copal__batch_t *batch = side->batch;
    copal_datagram_t record;
    const int status =
        copal_dtls_protect(side->dtls, now, datagram, batch->sealed + index * batch->sealed_size, &record);
    if (status == COPAL_ESTALE)
        copal__side_note(side, COPAL__FAILED_SESSION, datagram);
    if (status == 0)
        *datagram = record;
    return status == 0;
}

/* A client that has no session any more would answer the server with Reset: so we do that in its place, which ends what it
 * observes (RFC 7641 section 3.6). */
void copal__side_forget(copal__side_t *side, copal_time_t now, const copal__failure_t *failure)
{
    const uint8_t *message = failure->quoted;
    const uint8_t reset[] = {0x70, COPAL_EMPTY, message[2], message[3]};
    const copal_from_t from = {.peer = failure->to, .via = failure->via, .proven = true};
    if (side->client)
        copal_endpoint_lost(side->endpoint, now, &failure->to, COPAL_ESTALE);
    else if ((message[0] >> 4 & 3) < COPAL_ACK)
        copal_endpoint_receive(side->endpoint, now, &from, (copal_bytes_t){reset, sizeof reset});
}

void copal__side_run_filter(copal__side_t *side, copal_time_t now)
{
    if (copal_dtls_next_timeout(side->dtls) > now)
        return;
    copal_dtls_run(side->dtls, now);
    copal__side_settle(side, now);
}

/* RFC 7252 sections 4.2 and 5.2.2: a response that comes in a message of its own, and is sent again until it is acknowledged. */
#include "conform.h"

#include <string.h>

enum { ACK_TIMEOUT = 2000, ENDED = 8000 }; /* ENDED: no retransmission that is due comes as late */

/** Sends a GET and waits for the Empty acknowledgement, then for the response, which stays unacknowledged. */
static bool begin(conform_t *c, conform_ask_t *ask, copal_message_t *response, bool ask_again)
{
    int64_t next = conform_now(), end = next + c->target->timeout;
    int acknowledged = 0, sent = 0;
    *response = (copal_message_t){0};
    conform_ask(c, ask, COPAL_GET, ROLE_SEPARATE);
    while (conform_now() < end && c->verdict == VERDICT_NONE) {
        bool again = ask_again && acknowledged == 1 && sent == 1;
        if (again || (!acknowledged && conform_now() >= next)) {
            if (!conform_send_ask(c, ask))
                return false;
            next = conform_now() + ((int64_t)ACK_TIMEOUT << sent++);
        }
        if (!conform_receive(c, acknowledged || next > end ? end : next, response))
            continue;
        if (response->type == COPAL_ACK && response->id == ask->id && response->code == COPAL_EMPTY)
            acknowledged++;
        else if (response->type == COPAL_ACK && response->id == ask->id)
            return acknowledged ? conform_fail(c, "the response came in another acknowledgement")
                                : conform_not_applicable(c, "the response is piggybacked");
        else if (conform_same(response->token, ask->token) && COPAL_CODE_CLASS(response->code) >= 2)
            return acknowledged || response->type == COPAL_CON || response->type == COPAL_NON;
    }
    return conform_fail(c, "no response came in %u s", c->target->timeout / 1000);
}

static bool is_confirmable(conform_t *c, const copal_message_t *response)
{
    return response->type == COPAL_CON || conform_not_applicable(c, "the response is not Confirmable");
}

static bool not_in_an_acknowledgement(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t response;
    return begin(c, &ask, &response, true) && (response.type == COPAL_NON || conform_send_empty(c, COPAL_ACK, response.id));
}

/** Waits for the copies of an unacknowledged response, each twice as late as the last. That the third takes four times as long
 * as the first shows through what delays a busy machine adds. */
static bool sent_again(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t response, copy;
    int64_t last, gaps[3] = {0};
    if (!begin(c, &ask, &response, false) || !is_confirmable(c, &response))
        return false;
    last = c->last->at;
    for (int i = 0; i < 3; last = c->last->at, i++) {
        if (!conform_receive(c, conform_now() + c->target->timeout, &copy))
            return conform_fail(c, "an unacknowledged response was not sent again");
        if (copy.id != response.id || copy.type != COPAL_CON || !conform_same(copy.token, response.token))
            return conform_fail(c, "it was sent again as another message");
        gaps[i] = c->last->at - last;
    }
    conform_send_empty(c, COPAL_ACK, response.id);
    return gaps[2] > 2 * gaps[0] || conform_fail(c, "the timeout was not doubled: %lld ms, then %lld ms, then %lld ms",
                                                 (long long)gaps[0], (long long)gaps[1], (long long)gaps[2]);
}

/** Whether the response does not come any more once it was answered by `type`. */
static bool ends_by(conform_t *c, copal_type_t type)
{
    char text[CONFORM_TEXT];
    conform_ask_t ask;
    copal_message_t response, more;
    if (!begin(c, &ask, &response, false) || !is_confirmable(c, &response) ||
        !conform_send_empty(c, type, response.id))
        return false;
    for (int64_t end = conform_now() + ENDED; conform_receive(c, end, &more);)
        if (more.id == response.id || conform_same(more.token, response.token))
            return conform_fail(c, "%s came after it was answered by %s", conform_text(text, &more),
                                type == COPAL_ACK ? "an acknowledgement" : "a Reset");
    return c->verdict == VERDICT_NONE;
}

static bool ends_by_acknowledgement(conform_t *c)
{
    return ends_by(c, COPAL_ACK);
}

static bool ends_by_reset(conform_t *c)
{
    return ends_by(c, COPAL_RST);
}

#define SAYS_STOP                                                                                                      \
    "\"The server MUST stop retransmitting its response on any matching Acknowledgement [...] or Reset message.\""

static const conform_case_t cases[] = {
    {.name = "rfc7252_4.2_unacknowledged_response_is_sent_again", .needs = NEEDS(SEPARATE), .run = sent_again,
     .says = "A sender retransmits a Confirmable message at exponentially increasing intervals, the same message each "
             "time, until it is acknowledged or reset."},
    {.name = "rfc7252_5.2.2_response_is_not_in_a_second_acknowledgement", .needs = NEEDS(SEPARATE),
     .run = not_in_an_acknowledgement,
     .says = "\"Once the server sends back an Empty Acknowledgement, it MUST NOT send back the response in another "
             "Acknowledgement, even if the client retransmits another identical request.\""},
    {.name = "rfc7252_5.2.2_acknowledged_response_is_not_sent_again", .needs = NEEDS(SEPARATE), .says = SAYS_STOP,
     .run = ends_by_acknowledgement},
    {.name = "rfc7252_5.2.2_reset_response_is_not_sent_again", .needs = NEEDS(SEPARATE), .says = SAYS_STOP,
     .run = ends_by_reset},
};

const conform_suite_t conform_rfc7252_separate = {cases, sizeof cases / sizeof cases[0]};

/* RFC 7252, played with a client: what it sends again and when, and what it says to what a server sends; and the tokens of
 * RFC 8974. */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Milliseconds. A first retransmission comes after 2 to 3 s (section 4.8), a machine may be two seconds late. */
enum { EARLIEST = 1900, LATEST = 5000, SOON = 300, REPLY = 2000, REPLIES = 3 };
enum { SHORT = 8 }; /* octets of a token without RFC 8974 */

/** Whether it is the first request once more; a Confirmable message that is sent again is the same to the octet. */
static bool is_again(conform_t *c, const copal_message_t *came)
{
    if (!conform_is_request(came) || came->id != c->request.id)
        return false;
    copal_bytes_t first = {c->first->octets, c->first->size}, again = {c->last->octets, c->last->size};
    return conform_same(first, again) || conform_fail(c, "what was sent again is not the same as what was sent first");
}

/** Nothing is answered, until the request has come three times. */
static void back_off(conform_t *c, const copal_message_t *came)
{
    if (conform_begins(c, came)) {
        conform_due_in(c, LATEST);
        return;
    }
    if (!came) {
        conform_fail(c, "it was not answered, and not sent again in time");
        return;
    }
    if (!is_again(c, came))
        return;
    int64_t first = c->first->at, since = c->last->at - (c->step == 1 ? first : c->second);
    if (c->step == 1) {
        if (since < EARLIEST)
            conform_fail(c, "it was sent again after %.1f s, not after 2 to 3 s", (double)since / 1000);
        c->step = 2;
        c->second = c->last->at;
        conform_due_in(c, 2 * since + REPLY);
        return;
    }
    int64_t before = c->second - first;
    if (2 * since < 3 * before)
        conform_fail(c, "it was sent again after %.1f s and then after %.1f s, not after twice the time",
                     (double)before / 1000, (double)since / 1000);
    conform_conclude(c, COPAL_ACK);
}

/** An acknowledgement comes at once, the response later than a retransmission would. */
static void wait_for_response(conform_t *c, const copal_message_t *came)
{
    if (conform_begins(c, came)) {
        conform_send_empty(c, COPAL_ACK, came->id);
        conform_due_in(c, LATEST);
    } else if (!came) {
        conform_conclude(c, COPAL_CON);
    } else if (is_again(c, came)) {
        conform_fail(c, "it was sent again, and had been acknowledged");
    }
}

static void reset(conform_t *c, const copal_message_t *came)
{
    if (conform_begins(c, came)) {
        conform_send_empty(c, COPAL_RST, came->id);
        conform_due_in(c, LATEST);
    } else if (!came) {
        c->verdict = VERDICT_PASSED;
    } else if (is_again(c, came)) {
        conform_fail(c, "it was sent again, and had been rejected by a Reset");
    }
}

/** Sends the octets of the row, with a message ID. */
static void send_octets(conform_t *c, uint16_t id)
{
    uint8_t octets[64];
    copal_bytes_t row = c->subject->octets;
    memcpy(octets, row.data, row.size);
    octets[2] = (uint8_t)(id >> 8);
    octets[3] = (uint8_t)id;
    conform_send(c, (copal_bytes_t){octets, row.size});
}

/** What must be ignored is no answer, so the request comes again. */
static void ignored(conform_t *c, const copal_message_t *came, void (*send)(conform_t *c, const copal_message_t *came))
{
    if (conform_begins(c, came)) {
        send(c, came);
        conform_due_in(c, LATEST);
    } else if (!came) {
        conform_fail(c, "what came had to be ignored, and the request was not sent again");
    } else if (is_again(c, came)) {
        conform_conclude(c, COPAL_ACK);
    }
}

static void send_with_its_id(conform_t *c, const copal_message_t *came)
{
    send_octets(c, came->id);
}

static void send_with_other_id(conform_t *c, const copal_message_t *came)
{
    send_octets(c, came->id ^ 0x5555);
}

/** The answer, but from another port. */
static void send_from_elsewhere(conform_t *c, const copal_message_t *came)
{
    int own = c->fd, other = socket(c->peer.ss_family, SOCK_DGRAM, 0);
    if (other < 0) {
        conform_not_applicable(c, "there is no other socket: %s", strerror(errno));
        return;
    }
    conform_ask_t answer;
    conform_answer(c, &answer, came, COPAL_ACK, COPAL_CONTENT);
    answer.payload = copal_text("from another port");
    c->fd = other;
    conform_send_ask(c, &answer);
    c->fd = own;
    close(other);
}

static void ignore_octets(conform_t *c, const copal_message_t *came)
{
    ignored(c, came, send_with_its_id);
}

static void ignore_other(conform_t *c, const copal_message_t *came)
{
    ignored(c, came, send_with_other_id);
}

static void ignore_elsewhere(conform_t *c, const copal_message_t *came)
{
    ignored(c, came, send_from_elsewhere);
}

/** Makes the token of an answer another one of the same length: the last octet is not the same. */
static void change_token(conform_ask_t *answer, uint8_t token[CONFORM_DATAGRAM])
{
    size_t size = answer->token.size;
    token[0] = 0;
    if (size)
        memcpy(token, answer->token.data, size);
    else
        size = 1; /* there is no other of none */
    token[size - 1] ^= 0x55;
    answer->token = (copal_bytes_t){token, size};
}

/** Sends what the row says: its octets, or a response to the request. Not answered, it is sent again as it was. */
static void send_row(conform_t *c)
{
    const conform_case_t *row = c->subject;
    if (!c->tries)
        c->sent = ++c->id;
    c->tries++;
    conform_due_in(c, REPLY);
    if (row->octets.data) {
        send_octets(c, c->sent);
        return;
    }
    conform_ask_t message;
    uint8_t token[CONFORM_DATAGRAM];
    conform_answer(c, &message, &c->request, row->type, row->code);
    message.id = c->sent;
    if (row->other_token)
        change_token(&message, token);
    for (size_t i = 0; i < sizeof row->options / sizeof row->options[0] && row->options[i].value; i++)
        conform_option(&message, row->options[i].number, (copal_bytes_t){row->options[i].value, row->options[i].size});
    message.payload = copal_text(row->payload);
    conform_send_ask(c, &message);
}

static void judge_reply(conform_t *c, const copal_message_t *came)
{
    char text[CONFORM_TEXT];
    conform_expectation_t expect = c->subject->expect;
    copal_type_t type = expect == EXPECT_RESET ? COPAL_RST : COPAL_ACK;
    if (expect == EXPECT_SILENCE)
        conform_fail(c, "%s came, and nothing was due", conform_text(text, came));
    else if (came->type != type || came->code != COPAL_EMPTY)
        conform_fail(c, "%s came, not %s", conform_text(text, came),
                     type == COPAL_RST ? "a Reset" : "an acknowledgement");
    else if (expect == EXPECT_RESET)
        conform_conclude(c, COPAL_CON); /* what came first was not the response */
    else
        c->verdict = VERDICT_PASSED;
}

/** Acknowledges the request, sends what the row says, and judges what is said to it. */
static void reply(conform_t *c, const copal_message_t *came)
{
    if (came && conform_begins(c, came)) {
        conform_send_empty(c, COPAL_ACK, came->id);
        conform_due_in(c, SOON);
    } else if (came) {
        if (c->tries && !conform_is_request(came) && came->id == c->sent)
            judge_reply(c, came);
    } else if (c->subject->expect == EXPECT_SILENCE && c->tries) {
        c->verdict = VERDICT_PASSED;
    } else if (c->tries == REPLIES) {
        conform_fail(c, "nothing came in %d s", REPLIES * REPLY / 1000);
    } else {
        send_row(c);
    }
}

/** The same, but the acknowledgement has a response that is to something else. */
static void answer_other_token(conform_t *c, const copal_message_t *came)
{
    if (!conform_begins(c, came)) {
        reply(c, came);
        return;
    }
    conform_ask_t answer;
    uint8_t token[CONFORM_DATAGRAM];
    conform_answer(c, &answer, came, COPAL_ACK, COPAL_CONTENT);
    change_token(&answer, token);
    answer.payload = copal_text("to another request");
    conform_send_ask(c, &answer);
    conform_due_in(c, SOON);
}

/** The same with a client that makes long tokens. */
static void reply_to_long_token(conform_t *c, const copal_message_t *came)
{
    reply(c, came);
    if (c->request.token.size <= SHORT)
        conform_not_applicable(c, "the token of the request has no more than %d octets", SHORT);
}

/** The response comes without an acknowledgement, which was lost: it acknowledges the request as well. */
static void answer_without_acknowledgement(conform_t *c, const copal_message_t *came)
{
    bool acknowledged = came && c->tries && came->type == COPAL_ACK && came->id == c->sent;
    if (conform_begins(c, came)) {
        conform_due_in(c, SOON);
    } else if (c->step == 1 && acknowledged && came->code == COPAL_EMPTY) {
        c->step = 2;
        conform_due_in(c, LATEST);
    } else if (c->step == 1) {
        reply(c, came);
    } else if (!came) {
        c->verdict = VERDICT_PASSED;
    } else if (is_again(c, came)) {
        conform_fail(c, "it was sent again, and had been answered");
    }
}

#define ANSWER .type = COPAL_CON, .code = COPAL_CONTENT, .payload = "ok"

static const conform_case_t cases[] = {
    {.name = "rfc7252_3_version_0_is_ignored", .path = "version-0", .task = "GET it", .play = ignore_octets,
     .octets = OCTETS("\x20\x00\0\0"), .says = "\"Messages with unknown version numbers MUST be silently ignored.\""},
    {.name = "rfc7252_3_version_2_is_ignored", .path = "version-2", .task = "GET it", .play = ignore_octets,
     .octets = OCTETS("\xa0\x00\0\0"), .says = "\"Messages with unknown version numbers MUST be silently ignored.\""},
    {.name = "rfc7252_4.2_lost_request_is_sent_again", .path = "lost", .task = "GET it", .play = back_off,
     .says = "What is not acknowledged is sent again after 2 to 3 s, and then each time after twice as long."},
    {.name = "rfc7252_4.2_acknowledged_request_is_not_sent_again", .path = "separate", .task = "GET it",
     .play = wait_for_response, .says = "Retransmission ends with the acknowledgement; the response may come later."},
    {.name = "rfc7252_4.2_reset_request_is_not_sent_again", .path = "reset", .task = "GET it", .play = reset,
     .says = "Retransmission ends with an acknowledgement or a Reset."},
    {.name = "rfc7252_4.2_acknowledgement_of_another_message_is_ignored", .path = "other", .task = "GET it",
     .play = ignore_other, .octets = OCTETS("\x60\x00\0\0"),
     .says = "An Acknowledgement echoes the message ID of what it acknowledges; one that matches nothing is ignored."},
    {.name = "rfc7252_4.2_malformed_acknowledgement_is_ignored", .path = "malformed", .task = "GET it",
     .play = ignore_octets, .octets = OCTETS("\x60\x45\0\0\xff"),
     .says = "An Acknowledgement that cannot be processed is rejected by ignoring it silently."},
    {.name = "rfc7252_4.2_ping_is_answered_with_reset", .path = "ping", .task = "GET it", .play = reply,
     .octets = OCTETS("\x40\x00\0\0"), .expect = EXPECT_RESET,
     .says = "An Empty Confirmable message is rejected with a Reset, by a client as well."},
    {.name = "rfc7252_4.2_con_of_class_7_is_rejected", .path = "class-7", .task = "GET it", .play = reply,
     .octets = OCTETS("\x40\xe1\0\0"), .expect = EXPECT_RESET,
     .says = "A Confirmable message with a code of a reserved class (1, 6 or 7) is rejected with a Reset."},
    {.name = "rfc7252_4.2_malformed_con_is_rejected", .path = "malformed-con", .task = "GET it", .play = reply,
     .octets = OCTETS("\x40\x45\0\0\xff"), .expect = EXPECT_RESET,
     .says = "A Confirmable message with a format error is rejected with a Reset."},
    {.name = "rfc7252_4.3_non_is_not_acknowledged", .path = "non", .task = "GET it", .play = reply, .type = COPAL_NON,
     .code = COPAL_CONTENT, .payload = "ok", .expect = EXPECT_SILENCE,
     .says = "\"A Non-confirmable message ... MUST NOT be acknowledged by the recipient.\""},
    {.name = "rfc7252_5.2.2_separate_response_is_acknowledged", .path = "confirmable", .task = "GET it", .play = reply,
     ANSWER, .expect = EXPECT_ACKNOWLEDGED, .says = "A separate response that is Confirmable is acknowledged."},
    {.name = "rfc7252_5.2.2_response_takes_the_place_of_a_lost_acknowledgement", .path = "unacknowledged",
     .task = "GET it", .play = answer_without_acknowledgement, ANSWER, .expect = EXPECT_ACKNOWLEDGED,
     .says = "A response that comes before the acknowledgement of its request ends retransmission, and is acknowledged."},
    {.name = "rfc7252_5.3.2_unexpected_response_is_rejected", .path = "unexpected", .task = "GET it", .play = reply,
     .octets = OCTETS("\x48\x45\0\0noToken!"), .expect = EXPECT_RESET,
     .says = "A Confirmable response whose token matches no request is unexpected, and rejected with a Reset."},
    {.name = "rfc7252_5.3.2_response_from_another_endpoint_is_ignored", .path = "elsewhere", .task = "GET it",
     .play = ignore_elsewhere,
     .says = "\"The source endpoint of the response MUST be the same as the destination endpoint of the original "
             "request.\""},
    {.name = "rfc7252_5.3.2_piggybacked_response_with_another_token_is_ignored", .path = "token", .task = "GET it",
     .play = answer_other_token, ANSWER, .expect = EXPECT_ACKNOWLEDGED,
     .says = "Message ID and token of a piggybacked response MUST match; else it is rejected, which is done by ignoring it "
             "silently (4.2), so the response that comes later is taken."},
    {.name = "rfc7252_5.4.1_unknown_elective_option_is_ignored", .path = "elective", .task = "GET it", .play = reply,
     ANSWER, .options = {OPTION(65000, "x")}, .expect = EXPECT_ACKNOWLEDGED,
     .says = "\"Unrecognized options of class 'elective' MUST be silently ignored.\""},
    {.name = "rfc7252_5.4.1_response_with_unknown_critical_option_is_rejected", .path = "critical", .task = "GET it",
     .play = reply, ANSWER, .options = {OPTION(65001, "x")}, .expect = EXPECT_RESET,
     .says = "An unrecognized critical option in a Confirmable response makes it be rejected, with a Reset."},
    {.name = "rfc8974_2.1_con_with_token_length_15_is_rejected", .path = "length-15", .task = "GET it", .play = reply,
     .octets = OCTETS("\x4f\x45\0\0"), .expect = EXPECT_RESET,
     .says = "Token length 15 is reserved and MUST be processed as a message format error, as 9 to 15 were before."},
    {.name = "rfc8974_2.1_response_to_a_long_token_is_acknowledged", .path = "long-token",
     .task = "GET it with a token of 9 octets or more", .play = reply_to_long_token, ANSWER,
     .expect = EXPECT_ACKNOWLEDGED, .says = "Who sends a token of more than 8 octets takes the response that has it."},
    {.name = "rfc8974_2.1_response_with_another_long_token_is_rejected", .path = "long-tokens",
     .task = "GET it with a token of 9 octets or more", .play = reply_to_long_token, ANSWER, .other_token = true,
     .expect = EXPECT_RESET, .says = "A response whose token is another, if only in its last octet, is rejected."},
};

const conform_suite_t conform_clients_rfc7252 = {cases, sizeof cases / sizeof cases[0]};

/* RFC 7641, played with a client that observes. */
#include "conform.h"

enum { SOON = 300, INTERVAL = 1000, UNANSWERED = 5, NOTIFICATIONS = 30 }; /* the first two: milliseconds */

static bool has_observe(const copal_message_t *message, uint32_t value)
{
    copal_option_t option;
    return copal_option_find(message, COPAL_OPTION_OBSERVE, &option) && copal_option_uint(&option) == value;
}

/** The next state: in answer to the registration, or as a notification. */
static void send_state(conform_t *c, copal_type_t type)
{
    conform_ask_t answer;
    conform_answer(c, &answer, &c->request, type, COPAL_CONTENT);
    conform_uint(&answer, COPAL_OPTION_OBSERVE, ++c->tries);
    answer.payload = copal_text(c->tries & 1u ? "on" : "off");
    c->sent = answer.id;
    conform_send_ask(c, &answer);
    conform_due_in(c, type == COPAL_ACK ? SOON : INTERVAL);
}

/** Whether it is the registration; then it is answered. */
static bool registers(conform_t *c, const copal_message_t *came)
{
    if (!conform_begins(c, came))
        return false;
    if (!has_observe(came, 0))
        conform_not_applicable(c, "the request has no Observe option of 0");
    send_state(c, COPAL_ACK);
    return true;
}

/** Notifies until it is told that the client is there. */
static void notify(conform_t *c, const copal_message_t *came)
{
    if (registers(c, came))
        return;
    if (!came && c->tries > UNANSWERED)
        conform_fail(c, "%d Confirmable notifications were not acknowledged", UNANSWERED);
    else if (!came)
        send_state(c, COPAL_CON);
    else if (came->type == COPAL_RST)
        conform_fail(c, "a notification was rejected by a Reset");
    else if (came->type == COPAL_ACK)
        conform_conclude(c, COPAL_CON); /* without an Observe option it ends the observation */
}

/** The next option of those that a deregistration shares with its registration. */
static bool next_shared(copal_option_reader_t *reader, copal_option_t *option)
{
    while (copal_option_next(reader, option))
        if (option->number != COPAL_OPTION_OBSERVE && option->number != COPAL_OPTION_ETAG)
            return true;
    return false;
}

static bool same_options(const copal_message_t *a, const copal_message_t *b)
{
    copal_option_reader_t one = copal_message_options(a), other = copal_message_options(b);
    copal_option_t first, second;
    while (next_shared(&one, &first))
        if (!next_shared(&other, &second) || first.number != second.number || !conform_same(first.value, second.value))
            return false;
    return !next_shared(&other, &second);
}

static void judge_deregistration(conform_t *c, const copal_message_t *came)
{
    if (!conform_same(came->token, c->request.token))
        conform_fail(c, "the deregistration has not the token of the registration");
    else if (!same_options(came, &c->request))
        conform_fail(c, "the deregistration has not the options of the registration");
    c->request = *came;
    conform_conclude(c, came->type == COPAL_CON ? COPAL_ACK : COPAL_NON);
}

/** Notifies until the client has had enough. */
static void await_deregistration(conform_t *c, const copal_message_t *came)
{
    if (registers(c, came))
        return;
    if (!came && c->tries > NOTIFICATIONS)
        conform_not_applicable(c, "it has not cancelled the observation after %d notifications", NOTIFICATIONS);
    else if (!came)
        send_state(c, COPAL_CON);
    else if (came->type == COPAL_RST)
        conform_not_applicable(c, "it cancelled the observation by a Reset");
    else if (conform_is_request(came) && has_observe(came, 1))
        judge_deregistration(c, came);
}

static const conform_case_t cases[] = {
    {.name = "rfc7641_3.5_notification_is_acknowledged", .path = "notified", .task = "observe it for 10 s",
     .play = notify, .says = "A client that recognizes the token of a Confirmable notification MUST acknowledge it."},
    {.name = "rfc7641_3.6_deregistration_is_of_the_same_request", .path = "cancelled",
     .task = "observe it for 3 s, and deregister", .play = await_deregistration,
     .says = "A deregistration has the token of the observation, and all options \"MUST be identical to those in the "
             "registration request\" but for Observe and ETag."},
};

const conform_suite_t conform_clients_rfc7641 = {cases, sizeof cases / sizeof cases[0]};

/* RFC 7641: observing resources. A resource that is --put as well is changed by the case; of another one a change is waited
 * for. */
#include "conform.h"

enum { REGISTER, DEREGISTER };

/** Asks with an Observe option. */
static bool ask_observe(conform_t *c, conform_ask_t *ask, uint32_t what, copal_message_t *answer)
{
    conform_ask(c, ask, COPAL_GET, ROLE_OBSERVE);
    conform_uint(ask, COPAL_OPTION_OBSERVE, what);
    return conform_exchange(c, ask, answer) && conform_expect_code(c, answer, COPAL_CONTENT);
}

static bool has_observe(const copal_message_t *message, uint32_t *number)
{
    copal_option_t option;
    bool has = copal_option_find(message, COPAL_OPTION_OBSERVE, &option);
    *number = has ? copal_option_uint(&option) : 0;
    return has;
}

static bool is_written(const conform_t *c)
{
    const conform_target_t *target = c->target;
    return target->named[ROLE_PUT] &&
           conform_same(target->paths[ROLE_PUT].encoded, target->paths[ROLE_OBSERVE].encoded);
}

/** Changes the resource, if it is one that is written. */
static bool change(conform_t *c, const char *text)
{
    return !is_written(c) || conform_put(c, text);
}

/** Registers. Whether a resource can be observed is the server's to say. */
static bool observe(conform_t *c, conform_ask_t *ask, copal_message_t *answer)
{
    uint32_t number;
    if (!change(c, "zero") || !ask_observe(c, ask, REGISTER, answer))
        return false;
    return has_observe(answer, &number) || conform_not_applicable(c, "the resource cannot be observed");
}

/** The next notification of an observation, acknowledged if it has to be. False: none came in time, or the case has ended. */
static bool next(conform_t *c, const conform_ask_t *ask, int64_t until, copal_message_t *told)
{
    while (conform_next(c, until, told)) {
        if (COPAL_CODE_CLASS(told->code) < 2 || !conform_same(told->token, ask->token))
            continue;
        return told->type != COPAL_CON || conform_send_empty(c, COPAL_ACK, told->id);
    }
    return false;
}

/** The same, which has to come. */
static bool notified(conform_t *c, const conform_ask_t *ask, const char *text, copal_message_t *told)
{
    if (!change(c, text))
        return false;
    if (next(c, ask, conform_now() + c->target->timeout, told))
        return true;
    return is_written(c) ? conform_fail(c, "a change was not notified in %u s", c->target->timeout / 1000)
                         : conform_not_applicable(c, "it did not change in %u s", c->target->timeout / 1000);
}

/** Deregisters: the same token, and Observe 1. */
static bool cancel(conform_t *c, const conform_ask_t *ask)
{
    conform_ask_t cancelling;
    copal_message_t answer;
    uint32_t number;
    conform_ask(c, &cancelling, COPAL_GET, ROLE_OBSERVE);
    conform_uint(&cancelling, COPAL_OPTION_OBSERVE, DEREGISTER);
    cancelling.token = ask->token;
    if (!conform_exchange(c, &cancelling, &answer))
        return false;
    /* A notification may have been on its way: what answers a CON comes with its message ID. */
    return answer.id != cancelling.id || !has_observe(&answer, &number) ||
           conform_fail(c, "the answer to the deregistration has an Observe option");
}

static bool deregistration_has_no_observe(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    uint32_t number;
    return change(c, "zero") && ask_observe(c, &ask, DEREGISTER, &answer) &&
           (!has_observe(&answer, &number) || conform_fail(c, "the answer has an Observe option"));
}

/** Two notifications, each fresher than the last (section 3.4). */
static bool numbers_increase(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t told;
    uint32_t last, number;
    if (!observe(c, &ask, &told))
        return false;
    has_observe(&told, &last);
    for (int i = 0; i < 2; i++, last = number) {
        if (!notified(c, &ask, i ? "two" : "one", &told))
            return false;
        if (!has_observe(&told, &number))
            return conform_fail(c, "a notification has no Observe option");
        uint32_t ahead = (number - last) & 0xffffff;
        if (!ahead || ahead >= 1u << 23)
            return conform_fail(c, "the number %u comes after %u", number, last);
    }
    return cancel(c, &ask);
}

static bool format_is_kept(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t first, told;
    if (!observe(c, &ask, &first) || !notified(c, &ask, "one", &told))
        return false;
    return COPAL_CODE_CLASS(told.code) != 2 || conform_same_format(&first, &told)
               ? cancel(c, &ask)
               : conform_fail(c, "the Content-Format is not that of the first answer");
}

static bool state_is_the_latest(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t told;
    if (!is_written(c))
        return conform_not_applicable(c, "--observe and --put are not the same");
    if (!observe(c, &ask, &told) || !notified(c, &ask, "one", &told))
        return false;
    while (!conform_same(told.payload, copal_text("one")))
        if (!next(c, &ask, conform_now() + c->target->timeout, &told))
            return conform_fail(c, "the latest state was not notified");
    return cancel(c, &ask);
}

/** Whether nothing is told any more, though it changes. Of what changes by itself a change is waited for by another one. */
static bool silent(conform_t *c, const conform_ask_t *ask)
{
    conform_ask_t fence;
    copal_message_t told;
    if (!is_written(c)) {
        if (!observe(c, &fence, &told) || !notified(c, &fence, "", &told) || !cancel(c, &fence))
            return false;
    } else if (!change(c, "three")) {
        return false;
    }
    c->verdict = VERDICT_NONE;
    if (next(c, ask, conform_now() + c->target->silence, &told))
        return conform_fail(c, "a notification came after the observation had ended");
    return c->verdict == VERDICT_NONE;
}

static bool ends_by_deregistration(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t told;
    return observe(c, &ask, &told) && notified(c, &ask, "one", &told) && cancel(c, &ask) && silent(c, &ask);
}

static bool ends_by_reset(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t told;
    if (!observe(c, &ask, &told) || !change(c, "one"))
        return false;
    int64_t end = conform_now() + c->target->timeout;
    do {
        if (!conform_next(c, end, &told))
            return conform_not_applicable(c, "nothing was notified in %u s", c->target->timeout / 1000);
    } while (!conform_same(told.token, ask.token));
    return conform_send_empty(c, COPAL_RST, told.id) && silent(c, &ask);
}

/** The same registration again, under another message ID, is no second one. */
static bool registers_once(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t told, again;
    if (!observe(c, &ask, &told))
        return false;
    ask.id = ++c->id;
    if (!conform_exchange(c, &ask, &told) || !notified(c, &ask, "one", &told))
        return false;
    int64_t end = conform_now() + c->target->silence;
    while (next(c, &ask, end, &again))
        if (conform_same(again.payload, told.payload) && again.id != told.id && is_written(c))
            return conform_fail(c, "a change was notified twice");
    return c->verdict == VERDICT_NONE && cancel(c, &ask);
}

/** What is deleted is notified as gone, without Observe. */
static bool gone(conform_t *c)
{
    conform_ask_t ask, deleting;
    copal_message_t told, answer;
    uint32_t number;
    if (!is_written(c))
        return conform_not_applicable(c, "--observe and --put are not the same");
    if (!observe(c, &ask, &told))
        return false;
    conform_ask(c, &deleting, COPAL_DELETE, ROLE_PUT);
    if (!conform_exchange(c, &deleting, &answer))
        return false;
    if (answer.code != COPAL_DELETED)
        return conform_not_applicable(c, "it cannot be deleted");
    do {
        if (!next(c, &ask, conform_now() + c->target->timeout, &told))
            return conform_fail(c, "that the resource has gone was not notified");
    } while (COPAL_CODE_CLASS(told.code) == 2);
    return !has_observe(&told, &number) || conform_fail(c, "the notification has an Observe option");
}

#define OBSERVES .needs = NEEDS(OBSERVE)
#define SAYS_NUMBER                                                                                                    \
    "A 2.xx notification MUST include an Observe option whose number \"MUST be greater than that of any preceding "    \
    "notification sent to the same client with the same token for the same resource\"."
#define SAYS_DEREGISTER                                                                                                \
    "Observe 1: \"the server MUST remove any existing entry with a matching endpoint/token pair\"; the response MUST "  \
    "NOT include an Observe option."

static const conform_case_t cases[] = {
    {.name = "rfc7641_4.1_deregistration_is_answered_without_observe", OBSERVES, .says = SAYS_DEREGISTER,
     .run = deregistration_has_no_observe},
    {.name = "rfc7641_4.1_deregistration_ends_notifications", OBSERVES, .says = SAYS_DEREGISTER,
     .run = ends_by_deregistration},
    {.name = "rfc7641_4.1_second_registration_replaces_the_first", OBSERVES, .run = registers_once,
     .says = "If an entry with that endpoint and token is there already, \"the server MUST NOT add a new entry but MUST "
             "replace or update the existing one\"."},
    {.name = "rfc7641_4.2_notification_keeps_the_content_format", OBSERVES, .run = format_is_kept,
     .says = "\"The Content-Format specified in a 2.xx notification MUST be the same as the one used in the initial "
             "response to the GET request.\""},
    {.name = "rfc7641_4.2_end_is_notified_without_observe", OBSERVES, .run = gone,
     .says = "The server SHOULD notify 4.04 when the resource is deleted; \"a non-2.xx notification MUST NOT include an "
             "Observe Option\"."},
    {.name = "rfc7641_4.4_numbers_increase", OBSERVES, .says = SAYS_NUMBER, .run = numbers_increase},
    {.name = "rfc7641_4.5_latest_state_is_notified", OBSERVES, .run = state_is_the_latest,
     .says = "\"The server MUST ensure that a client in the list of observers of a resource eventually observes the "
             "latest state.\""},
    {.name = "rfc7641_4.5_reset_ends_notifications", OBSERVES, .run = ends_by_reset,
     .says = "If a client rejects a notification with a Reset, \"the server MUST remove the associated entry from the "
             "list of observers\"."},
};

const conform_suite_t conform_rfc7641 = {cases, sizeof cases / sizeof cases[0]};

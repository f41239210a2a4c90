/* RFC 7252: what PUT and DELETE do, under conditions and when they come twice. */
#include "conform.h"

#define SAYS_CONDITION                                                                                                 \
    "If the condition is not fulfilled, \"the server MUST NOT perform the requested method\", but MUST respond with "  \
    "4.12 (Precondition Failed)."
#define SAYS_ONCE "The recipient of a duplicate \"SHOULD process any request or response in the message only once\"."
#define SAYS_DELETED                                                                                                   \
    "\"A 2.02 (Deleted) Response Code SHOULD be used on success or in case the resource did not exist before the "     \
    "request.\""

/** A PUT of "other" with one option more. */
static void ask_other(conform_t *c, conform_ask_t *ask, uint16_t number, copal_bytes_t value)
{
    conform_ask(c, ask, COPAL_PUT, ROLE_PUT);
    conform_option(ask, number, value);
    conform_uint(ask, COPAL_OPTION_CONTENT_FORMAT, 0);
    ask->payload = copal_text("other");
}

/** That PUT is refused, and changes nothing. Who does not know the option has to refuse it, too: it is critical. */
static bool refused(conform_t *c, uint16_t number, copal_bytes_t value, copal_code_t code)
{
    conform_ask_t ask;
    copal_message_t answer;
    ask_other(c, &ask, number, value);
    return conform_exchange(c, &ask, &answer) &&
           conform_expect_codes(c, &answer, (copal_code_t[]){code, COPAL_BAD_OPTION, 0}) &&
           conform_expect_text(c, "other", false);
}

static bool if_match_of_another(conform_t *c)
{
    return conform_put(c, "one") &&
           refused(c, COPAL_OPTION_IF_MATCH, copal_text("nobodys"), COPAL_PRECONDITION_FAILED);
}

static bool if_none_match(conform_t *c)
{
    return conform_put(c, "one") &&
           refused(c, COPAL_OPTION_IF_NONE_MATCH, (copal_bytes_t){0}, COPAL_PRECONDITION_FAILED);
}

static bool bad_option(conform_t *c)
{
    return conform_put(c, "one") && refused(c, 65001, copal_text("x"), COPAL_BAD_OPTION);
}

static bool if_match_of_the_state(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    copal_option_t tag;
    if (!conform_put(c, "one") || !conform_get(c, ROLE_PUT, &answer))
        return false;
    if (!copal_option_find(&answer, COPAL_OPTION_ETAG, &tag))
        return conform_not_applicable(c, "the resource has no ETag");
    ask_other(c, &ask, COPAL_OPTION_IF_MATCH, tag.value);
    if (!conform_exchange(c, &ask, &answer))
        return false;
    if (answer.code == COPAL_BAD_OPTION)
        return conform_not_applicable(c, "it does not know If-Match");
    return conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_CHANGED, COPAL_CREATED, 0}) &&
           conform_expect_text(c, "other", true);
}

/** Lets the resource be gone. */
static bool delete(conform_t *c)
{
    char text[CONFORM_TEXT];
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_DELETE, ROLE_PUT);
    if (!conform_exchange(c, &ask, &answer))
        return false;
    if (answer.code != COPAL_DELETED)
        return conform_not_applicable(c, "DELETE was answered by %s", conform_text(text, &answer));
    conform_ask(c, &ask, COPAL_GET, ROLE_PUT);
    return conform_exchange(c, &ask, &answer) &&
           (answer.code == COPAL_NOT_FOUND || conform_not_applicable(c, "DELETE does not remove the resource"));
}

static bool if_match_of_nothing(conform_t *c)
{
    return conform_put(c, "one") && delete(c) &&
           refused(c, COPAL_OPTION_IF_MATCH, (copal_bytes_t){0}, COPAL_PRECONDITION_FAILED);
}

static bool deleted_twice(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_DELETE, ROLE_PUT);
    return conform_put(c, "one") && delete(c) && conform_exchange(c, &ask, &answer) &&
           conform_expect_code(c, &answer, COPAL_DELETED);
}

static bool put_is_kept(conform_t *c)
{
    return conform_put(c, "one") && conform_expect_text(c, "one", true) && conform_put(c, "two") &&
           conform_expect_text(c, "two", true);
}

static bool created(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_PUT, ROLE_PUT);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, 0);
    ask.payload = copal_text("one");
    return conform_put(c, "one") && delete(c) && conform_exchange(c, &ask, &answer) &&
           conform_expect_code(c, &answer, COPAL_CREATED);
}

/** A PUT that creates, with If-None-Match: who runs its copy as well finds that it is there already. */
static bool begin_creating(conform_t *c, conform_ask_t *ask, copal_type_t type)
{
    char text[CONFORM_TEXT];
    copal_message_t answer;
    if (!conform_put(c, "one") || !delete(c))
        return false;
    ask_other(c, ask, COPAL_OPTION_IF_NONE_MATCH, (copal_bytes_t){0});
    ask->type = type;
    return conform_exchange(c, ask, &answer) &&
           (answer.code == COPAL_CREATED || answer.code == COPAL_CHANGED ||
            conform_not_applicable(c, "PUT with If-None-Match was answered by %s", conform_text(text, &answer)));
}

static bool con_runs_once(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    return begin_creating(c, &ask, COPAL_CON) && conform_exchange(c, &ask, &answer) &&
           conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_CREATED, COPAL_CHANGED, 0});
}

/** A copy of a NON may be answered again or not, but not as if it had run again. */
static bool non_runs_once(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t message;
    int64_t end;
    if (!begin_creating(c, &ask, COPAL_NON) || !conform_send_ask(c, &ask))
        return false;
    for (end = conform_now() + c->target->silence; conform_next(c, end, &message);)
        if (conform_same(message.token, ask.token) && message.code == COPAL_PRECONDITION_FAILED)
            return conform_fail(c, "the copy of the request was run as well");
    return c->verdict == VERDICT_NONE;
}

#define WRITES .needs = NEEDS(PUT)

static const conform_case_t cases[] = {
    {.name = "rfc7252_4.5_duplicate_con_runs_once", .level = CONFORM_SHOULD, .says = SAYS_ONCE, WRITES,
     .run = con_runs_once},
    {.name = "rfc7252_4.5_duplicate_non_runs_once", .level = CONFORM_SHOULD, .says = SAYS_ONCE, WRITES,
     .run = non_runs_once},
    {.name = "rfc7252_5.4.1_request_with_unknown_critical_option_has_no_effect", WRITES, .run = bad_option,
     .says = "Unrecognized critical options in a Confirmable request MUST cause 4.02 (Bad Option) to be returned."},
    {.name = "rfc7252_5.8.3_put_is_what_get_returns", .level = CONFORM_SHOULD, WRITES, .run = put_is_kept,
     .says = "PUT \"requests that the resource be updated or created with the enclosed representation\"."},
    {.name = "rfc7252_5.8.3_put_that_creates_is_created", .level = CONFORM_SHOULD, WRITES, .run = created,
     .says = "If there is no such resource, the server may create it, and answers 2.01 (Created)."},
    {.name = "rfc7252_5.8.4_delete_of_what_is_gone_is_deleted", .level = CONFORM_SHOULD, WRITES, .says = SAYS_DELETED,
     .run = deleted_twice},
    {.name = "rfc7252_5.10.8.1_if_match_of_another_state_fails", WRITES, .says = SAYS_CONDITION,
     .run = if_match_of_another},
    {.name = "rfc7252_5.10.8.1_if_match_of_the_state_is_fulfilled", WRITES, .run = if_match_of_the_state,
     .says = "If-Match is fulfilled by an ETag of the target's current representation."},
    {.name = "rfc7252_5.10.8.1_empty_if_match_of_nothing_fails", WRITES, .says = SAYS_CONDITION,
     .run = if_match_of_nothing},
    {.name = "rfc7252_5.10.8.2_if_none_match_of_something_fails", WRITES, .says = SAYS_CONDITION,
     .run = if_none_match},
};

const conform_suite_t conform_rfc7252_effects = {cases, sizeof cases / sizeof cases[0]};

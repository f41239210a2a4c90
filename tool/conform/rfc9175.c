/* RFC 9175: Echo and Request-Tag. */
#include "conform.h"

#define ECHO_41 "12345678901234567890123456789012345678901"

/** Sends a block of 16 octets under a tag. */
static bool put_tagged(conform_t *c, uint32_t number, bool more, const char *tag, copal_message_t *answer)
{
    copal_block_t block = {.number = number, .more = more};
    conform_ask_t ask;
    conform_ask(c, &ask, COPAL_PUT, ROLE_PUT);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, 0);
    conform_uint(&ask, COPAL_OPTION_BLOCK1, copal_block_encode(&block));
    conform_option(&ask, COPAL_OPTION_REQUEST_TAG, copal_text(tag));
    ask.payload = copal_text("sixteen octets! ");
    return conform_exchange(c, &ask, answer);
}

static bool begin(conform_t *c)
{
    char text[CONFORM_TEXT];
    copal_message_t answer;
    if (!conform_put(c, "one") || !put_tagged(c, 0, true, "a", &answer))
        return false;
    return answer.code == COPAL_CONTINUE ||
           conform_not_applicable(c, "the first block was answered by %s", conform_text(text, &answer));
}

static bool tags_are_not_mixed(conform_t *c)
{
    char text[CONFORM_TEXT];
    copal_message_t answer;
    return begin(c) && put_tagged(c, 1, false, "b", &answer) &&
           (COPAL_CODE_CLASS(answer.code) != 2 ||
            conform_fail(c, "%s came: blocks of two Request-Tags were put together", conform_text(text, &answer)));
}

static bool same_tag(conform_t *c)
{
    copal_message_t answer;
    copal_option_t tag;
    return begin(c) && put_tagged(c, 1, false, "a", &answer) &&
           conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_CHANGED, COPAL_CREATED, 0}) &&
           (!copal_option_find(&answer, COPAL_OPTION_REQUEST_TAG, &tag) ||
            conform_fail(c, "the response has a Request-Tag"));
}

#define GETS .run = conform_run_request, .code = COPAL_GET, .needs = NEEDS(VALUE), .codes = {COPAL_CONTENT}

static const conform_case_t cases[] = {
    {.name = "rfc9175_2.2.1_echo_that_nobody_asked_for_is_no_error", GETS,
     .says = "Echo is elective: a request need not be fresh for it to be answered.",
     .options = {OPTION(COPAL_OPTION_ECHO, "12345678")}},
    {.name = "rfc9175_2.2.1_echo_of_41_octets_is_ignored", GETS,
     .says = "An Echo value has 1 to 40 octets; one of another length is treated like an unrecognized elective option.",
     .options = {OPTION(COPAL_OPTION_ECHO, ECHO_41)}},
    {.name = "rfc9175_3.2_request_tag_of_get_is_ignored", GETS,
     .says = "Request-Tag is elective, and may come more than once.",
     .options = {OPTION(COPAL_OPTION_REQUEST_TAG, "a"), OPTION(COPAL_OPTION_REQUEST_TAG, "")}},
    {.name = "rfc9175_3.3_blocks_of_one_request_tag_are_put_together", .needs = NEEDS(PUT), .run = same_tag,
     .says = "Blocks with the same Request-Tag belong together; \"the Request-Tag option MUST NOT be present in response "
             "messages\"."},
    {.name = "rfc9175_3.3_blocks_of_two_request_tags_are_not_put_together", .needs = NEEDS(PUT),
     .run = tags_are_not_mixed, .level = CONFORM_SHOULD,
     .says = "Blocks belong to one operation only if their Request-Tags are the same. The option is elective, so who "
             "does not know it may take them for one body all the same; clients are not safe from that."},
};

const conform_suite_t conform_rfc9175 = {cases, sizeof cases / sizeof cases[0]};

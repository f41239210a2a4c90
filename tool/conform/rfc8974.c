/* RFC 8974: tokens of more than 8 octets. Who does not support them rejects such a request, which is right. */
#include "conform.h"

#include <string.h>

#define SAYS_LONG                                                                                                      \
    "Who does not support the length has to take it for a message format error (RFC 7252 section 3), and rejects the " \
    "message; any other echoes the token in its response."
#define SAYS_RESERVED "A token length of 15 \"MUST NOT be sent and MUST be processed as a message-format error\"."

typedef enum { LONG_FAILED, LONG_REJECTED, LONG_TAKEN } taken_t;

static taken_t ask_long(conform_t *c, size_t size)
{
    static uint8_t token[512]; /* never written to: all zero is a token, too */
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
    ask.token = (copal_bytes_t){token, size};
    if (!conform_exchange(c, &ask, &answer))
        return LONG_FAILED;
    return answer.type == COPAL_RST ? LONG_REJECTED : LONG_TAKEN; /* that the token is the same was seen */
}

static bool is_echoed(conform_t *c, size_t size)
{
    taken_t taken = ask_long(c, size);
    return taken == LONG_TAKEN || (taken == LONG_REJECTED && conform_not_applicable(c, "it has no tokens of %zu", size));
}

static bool token_of_9(conform_t *c)
{
    return is_echoed(c, 9);
}

static bool token_of_13(conform_t *c)
{
    return is_echoed(c, 13);
}

static bool token_of_300(conform_t *c)
{
    return is_echoed(c, 300);
}

/** Who takes one of 13 must not reject one of 300: that would say that it has no long tokens at all. */
static bool longer(conform_t *c)
{
    taken_t shorter = ask_long(c, 13), taken;
    if (shorter == LONG_FAILED)
        c->verdict = VERDICT_NONE; /* the case of 13 tells of that */
    if (shorter != LONG_TAKEN)
        return conform_not_applicable(c, "it has no tokens of 13");
    taken = ask_long(c, 300);
    return taken == LONG_TAKEN || (taken == LONG_REJECTED && conform_fail(c, "a token of 300 was rejected, one of 13 not"));
}

#define MUST_RESET(name_, says_, octets_)                                                                              \
    {.name = (name_), .says = (says_), .run = conform_run_octets, .octets = OCTETS(octets_), .expect = EXPECT_RESET}

static const conform_case_t cases[] = {
    {.name = "rfc8974_2.1_token_of_9_is_echoed", .says = SAYS_LONG, .run = token_of_9},
    {.name = "rfc8974_2.1_token_of_13_is_echoed", .says = SAYS_LONG, .run = token_of_13},
    {.name = "rfc8974_2.1_token_of_300_is_echoed", .says = SAYS_LONG, .run = token_of_300},
    MUST_RESET("rfc8974_2.1_token_of_13_that_is_truncated_is_format_error", SAYS_LONG, "\x4d\x01\0\0\0" "123456789012"),
    MUST_RESET("rfc8974_2.1_token_without_its_extended_length_is_format_error", SAYS_LONG, "\x4e\x01\0\0\0"),
    {.name = "rfc8974_2.1_token_length_15_of_non_is_rejected", .says = SAYS_RESERVED, .run = conform_run_octets,
     .octets = OCTETS("\x5f\x01\0\0" "123456789012345"), .expect = EXPECT_REJECTED},
    {.name = "rfc8974_2.2.2_longer_token_is_not_rejected", .run = longer,
     .says = "If a server supports extended tokens, but not of that length, \"it MUST NOT reject the message\"."},
};

const conform_suite_t conform_rfc8974 = {cases, sizeof cases / sizeof cases[0]};

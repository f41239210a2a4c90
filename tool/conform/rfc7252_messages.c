/* RFC 7252 sections 3 and 4: the format of messages, and what is done with those that cannot be processed. */
#include "conform.h"

#define TAIL_OF_GET "\xbb.well-known\x04" "core"

/* Names of rows are long, and so is what they share. */
#define MUST_RESET(name_, says_, octets_)                                                                              \
    {.name = (name_), .says = (says_), .run = conform_run_octets, .octets = OCTETS(octets_), .expect = EXPECT_RESET}
#define MUST_IGNORE(name_, says_, octets_)                                                                             \
    {.name = (name_), .says = (says_), .run = conform_run_octets, .octets = OCTETS(octets_), .expect = EXPECT_SILENCE}
#define MUST_REJECT(name_, says_, octets_)                                                                             \
    {.name = (name_), .says = (says_), .run = conform_run_octets, .octets = OCTETS(octets_), .expect = EXPECT_REJECTED}

#define SAYS_VERSION "\"Messages with unknown version numbers MUST be silently ignored.\""
#define SAYS_TOKEN                                                                                                     \
    "A token length of 15 \"MUST be processed as a message format error\", with RFC 8974 as without."
#define SAYS_MARKER                                                                                                    \
    "\"The presence of a marker followed by a zero-length payload MUST be processed as a message format error.\""
#define SAYS_DELTA "An option delta of 15 in an octet that is not the payload marker is a message format error."
#define SAYS_LENGTH "An option length of 15 \"MUST be processed as a message format error\"."
#define SAYS_EMPTY "An Empty message ends behind its message ID; more octets \"MUST be processed as a message format error\"."
#define SAYS_REJECT_CON                                                                                                \
    "A Confirmable message that is Empty, of a reserved class (1, 6, 7) or malformed MUST be rejected, by a Reset."
#define SAYS_REJECT_NON                                                                                                \
    "A Non-confirmable message that is Empty, of a reserved class or malformed MUST be rejected: by silence or a Reset."
#define SAYS_REJECT_ACK "An Acknowledgement or a Reset that cannot be processed is rejected \"by silently ignoring it\"."
#define SAYS_UNEXPECTED "A response that nobody waits for is rejected: a Confirmable one with a Reset."

/** A Reset to a ping is what a Reset has to be. */
static bool ping(conform_t *c)
{
    conform_ask_t ask = {.type = COPAL_CON, .id = ++c->id};
    copal_message_t answer;
    char text[CONFORM_TEXT];
    if (!conform_exchange(c, &ask, &answer))
        return false;
    return (answer.type == COPAL_RST && answer.code == COPAL_EMPTY) ||
           conform_fail(c, "%s came, not a Reset", conform_text(text, &answer));
}

static const conform_case_t cases[] = {
    MUST_IGNORE("rfc7252_3_version_0_is_ignored", SAYS_VERSION, "\x00\x01\0\0" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_3_version_2_is_ignored", SAYS_VERSION, "\x80\x01\0\0" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_3_version_3_is_ignored", SAYS_VERSION, "\xc0\x01\0\0" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_3_ping_of_version_2_is_ignored", SAYS_VERSION, "\x80\x00\0\0"),
    MUST_RESET("rfc7252_3_token_length_15_is_format_error", SAYS_TOKEN, "\x4f\x01\0\0" "123456789012345" TAIL_OF_GET),
    MUST_RESET("rfc7252_3_truncated_token_is_format_error", SAYS_REJECT_CON, "\x48\x01\0\0" "1234"),
    MUST_RESET("rfc7252_3_marker_without_payload_is_format_error", SAYS_MARKER, "\x40\x01\0\0" TAIL_OF_GET "\xff"),
    MUST_RESET("rfc7252_3.1_option_delta_15_is_format_error", SAYS_DELTA, "\x40\x01\0\0" TAIL_OF_GET "\xf1x"),
    MUST_RESET("rfc7252_3.1_option_length_15_is_format_error", SAYS_LENGTH,
               "\x40\x01\0\0" TAIL_OF_GET "\x4f" "123456789012345"),
    MUST_RESET("rfc7252_3.1_truncated_option_is_format_error", SAYS_REJECT_CON, "\x40\x01\0\0" "\xbb.well"),
    MUST_RESET("rfc7252_3.1_option_without_its_extended_delta_is_format_error", SAYS_REJECT_CON,
               "\x40\x01\0\0" TAIL_OF_GET "\xd0"),
    MUST_RESET("rfc7252_3.1_option_without_its_extended_length_is_format_error", SAYS_REJECT_CON,
               "\x40\x01\0\0" TAIL_OF_GET "\x4e\x01"),
    MUST_RESET("rfc7252_4.1_empty_message_with_token_is_format_error", SAYS_EMPTY, "\x42\x00\0\0" "12"),
    MUST_RESET("rfc7252_4.1_empty_message_with_option_is_format_error", SAYS_EMPTY, "\x40\x00\0\0" TAIL_OF_GET),
    MUST_RESET("rfc7252_4.1_empty_message_with_payload_is_format_error", SAYS_EMPTY, "\x40\x00\0\0" "\xff" "1"),
    {.name = "rfc7252_4.2_ping_is_answered_with_empty_reset", .says = SAYS_REJECT_CON, .run = ping},
    MUST_RESET("rfc7252_4.2_con_of_class_1_is_rejected", SAYS_REJECT_CON, "\x41\x21\0\0" "1" TAIL_OF_GET),
    MUST_RESET("rfc7252_4.2_con_of_class_6_is_rejected", SAYS_REJECT_CON, "\x41\xc1\0\0" "1" TAIL_OF_GET),
    MUST_RESET("rfc7252_4.2_con_of_class_7_is_rejected", SAYS_REJECT_CON, "\x41\xe1\0\0" "1" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_4.2_request_in_ack_is_ignored", SAYS_REJECT_ACK, "\x61\x01\0\0" "1" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_4.2_request_in_rst_is_ignored", SAYS_REJECT_ACK, "\x71\x01\0\0" "1" TAIL_OF_GET),
    MUST_IGNORE("rfc7252_4.2_malformed_ack_is_ignored", SAYS_REJECT_ACK, "\x61\x45\0\0" "1\xff"),
    MUST_IGNORE("rfc7252_4.2_malformed_rst_is_ignored", SAYS_REJECT_ACK, "\x70\x00\0\0" "\xff"),
    MUST_IGNORE("rfc7252_4.2_unmatched_ack_is_ignored", SAYS_REJECT_ACK, "\x60\x00\0\0"),
    MUST_IGNORE("rfc7252_4.2_unmatched_rst_is_ignored", SAYS_REJECT_ACK, "\x70\x00\0\0"),
    MUST_REJECT("rfc7252_4.3_empty_non_is_rejected", SAYS_REJECT_NON, "\x50\x00\0\0"),
    MUST_REJECT("rfc7252_4.3_non_of_class_1_is_rejected", SAYS_REJECT_NON, "\x51\x21\0\0" "1" TAIL_OF_GET),
    MUST_REJECT("rfc7252_4.3_non_of_class_7_is_rejected", SAYS_REJECT_NON, "\x51\xe1\0\0" "1" TAIL_OF_GET),
    MUST_REJECT("rfc7252_4.3_malformed_non_is_rejected", SAYS_REJECT_NON, "\x51\x01\0\0" "1" TAIL_OF_GET "\xff"),
    MUST_RESET("rfc7252_5.3.2_unexpected_con_response_is_rejected", SAYS_UNEXPECTED, "\x44\x45\0\0" "1234\xff" "1"),
    MUST_REJECT("rfc7252_5.3.2_unexpected_non_response_is_rejected", SAYS_UNEXPECTED, "\x54\x45\0\0" "1234\xff" "1"),
    MUST_IGNORE("rfc7252_5.3.2_unexpected_piggybacked_response_is_ignored", SAYS_UNEXPECTED,
                "\x64\x45\0\0" "1234\xff" "1"),
};

const conform_suite_t conform_rfc7252_messages = {cases, sizeof cases / sizeof cases[0]};

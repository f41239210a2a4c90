/* RFC 7252 section 5: tokens, options, methods. */
#include "conform.h"

#include <string.h>

#define SAYS_ELECTIVE "\"Unrecognized options of class 'elective' MUST be silently ignored.\""
#define SAYS_CRITICAL                                                                                                  \
    "\"Unrecognized options of class 'critical' that occur in a Confirmable request MUST cause the return of a 4.02 "  \
    "(Bad Option) response.\""
#define SAYS_CRITICAL_NON                                                                                              \
    "Unrecognized critical options in a Non-confirmable message \"MUST cause the message to be rejected\"."
#define SAYS_OPTION_LENGTH                                                                                             \
    "An option whose length is outside the defined range \"MUST be treated like an unrecognized option\"."
#define SAYS_TOO_MANY                                                                                                  \
    "Each occurrence of an option beyond those it is defined for \"MUST be treated like an unrecognized option\"."
#define SAYS_ZEROS "\"A recipient MUST be prepared to process values with leading zero bytes.\""
#define SAYS_METHOD                                                                                                    \
    "\"A request with an unrecognized or unsupported Method Code MUST generate a 4.05 (Method Not Allowed) "           \
    "piggybacked response.\""
#define SAYS_PROXY "An endpoint that does not act as a proxy for the request MUST return 5.05 (Proxying Not Supported)."
#define SAYS_TOKEN "The server MUST echo the token of a request, without modification, in any resulting response."

/** A GET of the value, or POST and so on, with options that change nothing or everything. */
#define GETS .run = conform_run_request, .code = COPAL_GET
#define IS_CONTENT .codes = {COPAL_CONTENT}
#define IS_BAD_OPTION .codes = {COPAL_BAD_OPTION}

static bool token_is_echoed(conform_t *c, size_t size)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
    ask.token.size = size;
    if (!conform_exchange(c, &ask, &answer))
        return false;
    return conform_same(answer.token, ask.token) || conform_fail(c, "the answer has not the token of the request");
}

static bool empty_token(conform_t *c)
{
    return token_is_echoed(c, 0);
}

static bool token_of_1(conform_t *c)
{
    return token_is_echoed(c, 1);
}

static bool token_of_8(conform_t *c)
{
    return token_is_echoed(c, 8);
}

/** Whether a NON request has a response; what it is of is left to the caller. */
static bool ask_non(conform_t *c, copal_message_t *answer)
{
    conform_ask_t ask;
    conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
    ask.type = COPAL_NON;
    return conform_exchange(c, &ask, answer);
}

static bool non_is_not_acknowledged(conform_t *c)
{
    copal_message_t answer;
    char text[CONFORM_TEXT];
    return ask_non(c, &answer) && (answer.type == COPAL_NON || answer.type == COPAL_CON ||
                                   conform_fail(c, "%s came, not a response", conform_text(text, &answer)));
}

static bool non_is_answered_by_non(conform_t *c)
{
    copal_message_t answer;
    char text[CONFORM_TEXT];
    return ask_non(c, &answer) &&
           (answer.type == COPAL_NON || conform_fail(c, "%s came, not a NON", conform_text(text, &answer)));
}

static bool unknown_method(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_CODE(0, 31), ROLE_VALUE);
    return conform_exchange(c, &ask, &answer) && conform_expect_code(c, &answer, COPAL_METHOD_NOT_ALLOWED) &&
           (answer.type == COPAL_ACK || conform_fail(c, "the response is not piggybacked"));
}

/** A 4.02 that says what it is about. */
static bool diagnostic(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_GET, ROLE_VALUE);
    conform_option(&ask, 65001, copal_text("x"));
    return conform_exchange(c, &ask, &answer) && conform_expect_code(c, &answer, COPAL_BAD_OPTION) &&
           (answer.payload.size || conform_fail(c, "the 4.02 has no payload"));
}

/** Accept of the format that the value has, with a zero before it, is that of the value. */
static bool leading_zero(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    copal_option_t format;
    uint8_t padded[3] = {0};
    conform_ask(c, &ask, COPAL_GET, ROLE_VALUE);
    if (!conform_exchange(c, &ask, &answer) || !conform_expect_code(c, &answer, COPAL_CONTENT))
        return false;
    if (!copal_option_find(&answer, COPAL_OPTION_CONTENT_FORMAT, &format) || format.value.size > 1)
        return conform_not_applicable(c, "the value has no Content-Format below 256");
    memcpy(padded + 1, format.value.data, format.value.size);
    conform_option(&ask, COPAL_OPTION_ACCEPT, (copal_bytes_t){padded, format.value.size + 1});
    conform_renew(c, &ask);
    return conform_exchange(c, &ask, &answer) && conform_expect_code(c, &answer, COPAL_CONTENT);
}

/** A format that cannot be had; who does not know Accept takes it for an unknown critical option. */
static bool unacceptable(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_GET, ROLE_VALUE);
    conform_uint(&ask, COPAL_OPTION_ACCEPT, 64999);
    return conform_exchange(c, &ask, &answer) &&
           conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_NOT_ACCEPTABLE, COPAL_BAD_OPTION, 0});
}

/** A proxy to nowhere; a server that tries is one. */
/** The row has the whole URI. Its authority is another's: a request for the server's own is a local one (section 5.7.2). */
static bool proxied(conform_t *c)
{
    static const copal_code_t trying[] = {COPAL_BAD_GATEWAY, COPAL_GATEWAY_TIMEOUT, COPAL_UNAUTHORIZED,
                                          COPAL_FORBIDDEN};
    const conform_case_t *row = c->subject;
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask_path(c, &ask, COPAL_GET, "");
    ask.count = 0;
    for (size_t i = 0; i < sizeof row->options / sizeof row->options[0] && row->options[i].value; i++)
        conform_option(&ask, row->options[i].number, (copal_bytes_t){row->options[i].value, row->options[i].size});
    if (!conform_exchange(c, &ask, &answer))
        return false;
    for (size_t i = 0; i < sizeof trying / sizeof trying[0]; i++)
        if (answer.code == trying[i])
            return conform_not_applicable(c, "it is a proxy");
    return conform_expect_code(c, &answer, COPAL_PROXYING_NOT_SUPPORTED);
}

static bool discovery(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    copal_option_t format;
    conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
    if (!conform_exchange(c, &ask, &answer) || !conform_expect_code(c, &answer, COPAL_CONTENT))
        return false;
    return (copal_option_find(&answer, COPAL_OPTION_CONTENT_FORMAT, &format) && copal_option_uint(&format) == 40) ||
           conform_fail(c, "it is not of the Content-Format 40, link-format");
}

/** The current state by its ETag: 2.03, the ETag, and no payload. */
static bool valid(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    copal_option_t tag, again;
    conform_ask(c, &ask, COPAL_GET, ROLE_VALUE);
    if (!conform_exchange(c, &ask, &answer) || !conform_expect_code(c, &answer, COPAL_CONTENT))
        return false;
    if (!copal_option_find(&answer, COPAL_OPTION_ETAG, &tag))
        return conform_not_applicable(c, "the value has no ETag");
    conform_option(&ask, COPAL_OPTION_ETAG, tag.value);
    conform_renew(c, &ask);
    if (!conform_exchange(c, &ask, &answer) || !conform_expect_code(c, &answer, COPAL_VALID))
        return false;
    if (!copal_option_find(&answer, COPAL_OPTION_ETAG, &again) || !conform_same(again.value, tag.value))
        return conform_fail(c, "the 2.03 has not the ETag that was asked for");
    return !answer.payload.size || conform_fail(c, "the 2.03 has a payload");
}

/** The same CON twice: a copy gets the acknowledgement of the first. */
static bool duplicate(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t first, second;
    conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
    if (!conform_exchange(c, &ask, &first) || !conform_exchange(c, &ask, &second))
        return false;
    return first.code == second.code || conform_fail(c, "the copy of a request was answered otherwise");
}

static const conform_case_t cases[] = {
    {.name = "rfc7252_4.3_non_is_not_acknowledged",
     .says = "\"A Non-confirmable message MUST NOT be acknowledged by the recipient.\"",
     .run = non_is_not_acknowledged},
    {.name = "rfc7252_4.5_duplicate_con_is_acknowledged_alike", .level = CONFORM_SHOULD,
     .says = "\"The recipient SHOULD acknowledge each duplicate copy of a Confirmable message using the same "
             "Acknowledgement or Reset message.\"",
     .run = duplicate},
    {.name = "rfc7252_5.2.3_non_is_answered_by_non", .level = CONFORM_SHOULD,
     .says = "\"If the request message is Non-confirmable, then the response SHOULD be returned in a Non-confirmable "
             "message as well.\"",
     .run = non_is_answered_by_non},
    {.name = "rfc7252_5.3.1_empty_token_is_echoed", .says = SAYS_TOKEN, .run = empty_token},
    {.name = "rfc7252_5.3.1_token_of_1_is_echoed", .says = SAYS_TOKEN, .run = token_of_1},
    {.name = "rfc7252_5.3.1_token_of_8_is_echoed", .says = SAYS_TOKEN, .run = token_of_8},
    {.name = "rfc7252_3.2_uint_with_leading_zero_is_understood", .says = SAYS_ZEROS, .run = leading_zero,
     .needs = NEEDS(VALUE)},
    {.name = "rfc7252_5.4.1_unknown_elective_option_is_ignored", .says = SAYS_ELECTIVE, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(65000, "x")}, IS_CONTENT},
    {.name = "rfc7252_5.4.1_unknown_critical_option_of_con_is_bad_option", .says = SAYS_CRITICAL, GETS,
     .needs = NEEDS(VALUE), .options = {OPTION(65001, "x")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.1_low_unknown_critical_option_is_bad_option", .says = SAYS_CRITICAL, GETS,
     .needs = NEEDS(VALUE), .options = {OPTION(2049, "")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.1_unknown_critical_option_of_non_is_rejected", .says = SAYS_CRITICAL_NON, GETS,
     .type = COPAL_NON, .needs = NEEDS(VALUE), .options = {OPTION(65001, "x")}, .expect = EXPECT_REJECTED},
    {.name = "rfc7252_5.4.1_bad_option_is_described", .level = CONFORM_SHOULD, .needs = NEEDS(VALUE),
     .says = "\"This response SHOULD include a diagnostic payload describing the unrecognized option(s).\"",
     .run = diagnostic},
    {.name = "rfc7252_5.4.3_accept_of_3_octets_is_bad_option", .says = SAYS_OPTION_LENGTH, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_ACCEPT, "\0\0\0")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.3_uri_port_of_3_octets_is_bad_option", .says = SAYS_OPTION_LENGTH, GETS,
     .needs = NEEDS(VALUE), .options = {OPTION(COPAL_OPTION_URI_PORT, "\0\x16\x33")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.3_if_match_of_9_octets_is_bad_option", .says = SAYS_OPTION_LENGTH, GETS,
     .needs = NEEDS(VALUE), .options = {OPTION(COPAL_OPTION_IF_MATCH, "123456789")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.3_etag_of_9_octets_is_ignored", .says = SAYS_OPTION_LENGTH, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_ETAG, "123456789")}, IS_CONTENT},
    {.name = "rfc7252_5.4.3_max_age_of_5_octets_is_ignored", .says = SAYS_OPTION_LENGTH, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_MAX_AGE, "12345")}, IS_CONTENT},
    {.name = "rfc7252_5.4.5_second_accept_is_bad_option", .says = SAYS_TOO_MANY, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_ACCEPT, ""), OPTION(COPAL_OPTION_ACCEPT, "")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.5_second_uri_port_is_bad_option", .says = SAYS_TOO_MANY, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_URI_PORT, "\x16\x33"), OPTION(COPAL_OPTION_URI_PORT, "\x16\x33")}, IS_BAD_OPTION},
    {.name = "rfc7252_5.4.5_second_max_age_is_ignored", .says = SAYS_TOO_MANY, GETS, .needs = NEEDS(VALUE),
     .options = {OPTION(COPAL_OPTION_MAX_AGE, "\x01"), OPTION(COPAL_OPTION_MAX_AGE, "\x02")}, IS_CONTENT},
    {.name = "rfc7252_5.7.2_proxy_uri_is_not_supported", .says = SAYS_PROXY, .run = proxied,
     .options = {OPTION(COPAL_OPTION_PROXY_URI, "coap://conform.invalid/a")}},
    {.name = "rfc7252_5.7.2_proxy_scheme_is_not_supported", .says = SAYS_PROXY, .run = proxied,
     .options = {OPTION(COPAL_OPTION_URI_HOST, "conform.invalid"), OPTION(COPAL_OPTION_URI_PATH, "a"),
                 OPTION(COPAL_OPTION_PROXY_SCHEME, "coap")}},
    {.name = "rfc7252_5.8_unknown_method_is_not_allowed", .says = SAYS_METHOD, .run = unknown_method,
     .needs = NEEDS(VALUE)},
    {.name = "rfc7252_5.9.1.3_valid_has_the_etag_and_no_payload", .needs = NEEDS(VALUE),
     .says = "A 2.03 (Valid) response \"MUST include an ETag Option and MUST NOT include a payload\".", .run = valid},
    {.name = "rfc7252_5.10.4_format_that_cannot_be_had_is_not_acceptable", .needs = NEEDS(VALUE),
     .says = "If the preferred Content-Format cannot be returned, \"a 4.06 'Not Acceptable' MUST be sent\".",
     .run = unacceptable},
    {.name = "rfc7252_7.2_resources_are_listed_as_link_format", .level = CONFORM_SHOULD,
     .says = "\"A CoAP endpoint SHOULD support the CoRE Link Format of discoverable resources.\"", .run = discovery},
};

const conform_suite_t conform_rfc7252_requests = {cases, sizeof cases / sizeof cases[0]};

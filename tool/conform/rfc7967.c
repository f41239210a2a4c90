/* RFC 7967: the No-Response option. */
#include "conform.h"

/** A CON whose response nobody wants is acknowledged all the same; a response says as much (RFC 7252 section 5.2.2). */
static bool acknowledged(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t message;
    conform_ask(c, &ask, COPAL_GET, ROLE_VALUE);
    conform_uint(&ask, COPAL_OPTION_NO_RESPONSE, COPAL_NO_RESPONSE_ALL);
    for (int sent = 0; sent < 3; sent++) {
        if (!conform_send_ask(c, &ask))
            return false;
        if (conform_receive(c, conform_now() + (2000 << sent), &message))
            return conform_relate(c, &ask, &message) != CONFORM_UNRELATED ||
                   conform_fail(c, "what came is no acknowledgement of the request");
    }
    return conform_fail(c, "the request was not acknowledged");
}

static const conform_case_t cases[] = {
    {.name = "rfc7967_2.1_con_is_acknowledged_without_interest", .needs = NEEDS(VALUE), .run = acknowledged,
     .says = "A Confirmable request is acknowledged whatever responses are of interest (RFC 7252 section 4.2)."},
    {.name = "rfc7967_2.1_response_of_interest_is_sent", .needs = NEEDS(VALUE), .run = conform_run_request,
     .says = "\"The server MUST send back responses of the classes for which the client has not expressed any "
             "disinterest.\"",
     .type = COPAL_NON, .code = COPAL_GET, .options = {OPTION(COPAL_OPTION_NO_RESPONSE, "\x18")},
     .codes = {COPAL_CONTENT}},
};

const conform_suite_t conform_rfc7967 = {cases, sizeof cases / sizeof cases[0]};

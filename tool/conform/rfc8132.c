/* RFC 8132: PATCH and iPATCH. The resource that is written to becomes JSON for it, where the server lets it. */
#include "conform.h"

enum { JSON = 50, JSON_PATCH = 51, MERGE_PATCH = 52 };

static bool send_json(conform_t *c, copal_code_t code, uint16_t format, const char *text, copal_message_t *answer)
{
    conform_ask_t ask;
    conform_ask(c, &ask, code, ROLE_PUT);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, format);
    ask.payload = copal_text(text);
    return conform_exchange(c, &ask, answer);
}

/** Makes it anew, so that its Content-Format can be another one; then patches it. */
static bool patch(conform_t *c, copal_code_t code, uint16_t format, const char *text, copal_message_t *answer)
{
    char came[CONFORM_TEXT];
    conform_ask_t ask;
    conform_ask(c, &ask, COPAL_DELETE, ROLE_PUT);
    if (!conform_exchange(c, &ask, answer) || !send_json(c, COPAL_PUT, JSON, "{\"a\":1}", answer))
        return false;
    if (answer->code != COPAL_CREATED && answer->code != COPAL_CHANGED)
        return conform_not_applicable(c, "a PUT of JSON was answered by %s", conform_text(came, answer));
    if (!send_json(c, code, format, text, answer))
        return false;
    return (answer->code != COPAL_METHOD_NOT_ALLOWED && answer->code != COPAL_UNSUPPORTED_CONTENT_FORMAT &&
            answer->code != COPAL_NOT_IMPLEMENTED) ||
           conform_not_applicable(c, "the patch was answered by %s", conform_text(came, answer));
}

static bool merges(conform_t *c, copal_code_t code)
{
    copal_message_t answer;
    return patch(c, code, MERGE_PATCH, "{\"a\":2}", &answer) &&
           conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_CHANGED, COPAL_CREATED, 0}) &&
           conform_expect_text(c, "{\"a\":1}", false);
}

static bool patch_merges(conform_t *c)
{
    return merges(c, COPAL_PATCH);
}

static bool ipatch_merges(conform_t *c)
{
    return merges(c, COPAL_IPATCH);
}

/** The first change could be made, the second cannot. */
static bool atomic(conform_t *c)
{
    char text[CONFORM_TEXT];
    copal_message_t answer;
    if (!patch(c, COPAL_PATCH, JSON_PATCH,
               "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2},{\"op\":\"remove\",\"path\":\"/b\"}]", &answer))
        return false;
    if (COPAL_CODE_CLASS(answer.code) == 2)
        return conform_fail(c, "%s came for a patch that cannot be applied", conform_text(text, &answer));
    return conform_expect_text(c, "{\"a\":1}", true);
}

/** FETCH or PATCH of a resource that may not have it: it is done, or 4.05. */
static bool refused_or_done(conform_t *c, copal_code_t code)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, code, ROLE_VALUE);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, 64999);
    ask.payload = copal_text("x");
    return conform_exchange(c, &ask, &answer) &&
           conform_expect_codes(c, &answer,
                                (copal_code_t[]){COPAL_METHOD_NOT_ALLOWED, COPAL_UNSUPPORTED_CONTENT_FORMAT,
                                                 COPAL_BAD_REQUEST, COPAL_FORBIDDEN, COPAL_UNAUTHORIZED,
                                                 COPAL_UNPROCESSABLE_ENTITY, COPAL_CONFLICT, 0});
}

static bool fetch_of_unknown(conform_t *c)
{
    return refused_or_done(c, COPAL_FETCH);
}

#define SAYS_APPROPRIATE                                                                                               \
    "\"Servers MUST ensure that a received PATCH body is appropriate for the type of resource identified by the target " \
    "resource of the request.\""

static bool patch_of_unknown(conform_t *c)
{
    return refused_or_done(c, COPAL_PATCH);
}

static bool ipatch_of_unknown(conform_t *c)
{
    return refused_or_done(c, COPAL_IPATCH);
}

static const conform_case_t cases[] = {
    {.name = "rfc8132_2_fetch_by_an_unknown_format_is_refused", .level = CONFORM_SHOULD, .needs = NEEDS(VALUE),
     .says = "A FETCH that the server has not, or whose format it does not know, is answered by 4.05 or 4.15.",
     .run = fetch_of_unknown},
    {.name = "rfc8132_3_patch_of_an_unknown_format_is_refused", .needs = NEEDS(VALUE), .says = SAYS_APPROPRIATE,
     .run = patch_of_unknown},
    {.name = "rfc8132_3_ipatch_of_an_unknown_format_is_refused", .needs = NEEDS(VALUE), .says = SAYS_APPROPRIATE,
     .run = ipatch_of_unknown},
    {.name = "rfc8132_3_patch_that_fails_changes_nothing", .needs = NEEDS(PUT), .run = atomic,
     .says = "\"The server MUST apply the entire set of changes atomically\", and none of them \"when an error occurs or "
             "when only a partial execution is possible\"."},
    {.name = "rfc8132_3_patch_is_applied", .level = CONFORM_SHOULD, .needs = NEEDS(PUT), .run = patch_merges,
     .says = "PATCH and iPATCH request that the changes described by the body are applied to the target resource."},
    {.name = "rfc8132_3_ipatch_is_applied", .level = CONFORM_SHOULD, .needs = NEEDS(PUT), .run = ipatch_merges,
     .says = "PATCH and iPATCH request that the changes described by the body are applied to the target resource."},
};

const conform_suite_t conform_rfc8132 = {cases, sizeof cases / sizeof cases[0]};

/* What is right in answer to what was sent. */
#include "conform.h"

#include <string.h>

enum { RESENT_AFTER = 2000, RESENDS = 2 };

const char *conform_text(char *text, const copal_message_t *message)
{
    static const char *const types[] = {"CON", "NON", "ACK", "RST"};
    if (message->code == COPAL_EMPTY)
        snprintf(text, CONFORM_TEXT, message->type == COPAL_RST ? "a Reset" : "an empty %s", types[message->type]);
    else
        snprintf(text, CONFORM_TEXT, "%s %u.%02u %s", types[message->type], COPAL_CODE_CLASS(message->code),
                 COPAL_CODE_DETAIL(message->code), copal_code_text(message->code));
    return text;
}

bool conform_expect_silence(conform_t *c)
{
    char text[CONFORM_TEXT];
    conform_ask_t fence;
    copal_message_t message;
    int64_t end;
    conform_ask_path(c, &fence, COPAL_GET, ".well-known/core");
    c->held_count = 0;
    if (!conform_exchange(c, &fence, &message))
        return false;
    if (c->held_count)
        return conform_fail(c, "%s came, and it was to be silent", conform_text(text, &c->held[0]));
    for (end = conform_now() + c->target->silence; conform_receive(c, end, &message);)
        if (conform_relate(c, &fence, &message) == CONFORM_UNRELATED)
            return conform_fail(c, "%s came, and it was to be silent", conform_text(text, &message));
    return c->verdict == VERDICT_NONE;
}

bool conform_expect_codes(conform_t *c, const copal_message_t *answer, const copal_code_t *codes)
{
    char text[CONFORM_TEXT];
    for (const copal_code_t *code = codes; *code; code++)
        if (answer->type != COPAL_RST && answer->code == *code)
            return true;
    return conform_fail(c, "%s came, not %u.%02u %s", conform_text(text, answer), COPAL_CODE_CLASS(*codes),
                        COPAL_CODE_DETAIL(*codes), copal_code_text(*codes));
}

bool conform_expect_code(conform_t *c, const copal_message_t *answer, copal_code_t code)
{
    return conform_expect_codes(c, answer, (copal_code_t[]){code, 0});
}

bool conform_put(conform_t *c, const char *text)
{
    char came[CONFORM_TEXT];
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_PUT, ROLE_PUT);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, 0);
    ask.payload = copal_text(text);
    if (!conform_exchange(c, &ask, &answer))
        return false;
    return answer.code == COPAL_CREATED || answer.code == COPAL_CHANGED ||
           conform_not_applicable(c, "PUT was answered by %s", conform_text(came, &answer));
}

bool conform_get(conform_t *c, conform_role_t role, copal_message_t *answer)
{
    conform_ask_t ask;
    conform_ask(c, &ask, COPAL_GET, role);
    return conform_exchange(c, &ask, answer) && conform_expect_code(c, answer, COPAL_CONTENT);
}

bool conform_expect_text(conform_t *c, const char *text, bool is)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, COPAL_GET, ROLE_PUT);
    if (!conform_exchange(c, &ask, &answer))
        return false;
    bool same = answer.code == COPAL_CONTENT && conform_same(answer.payload, copal_text(text));
    return same == is ||
           conform_fail(c, is ? "the resource is not '%s' afterwards" : "the resource has become '%s'", text);
}

bool conform_same_format(const copal_message_t *a, const copal_message_t *b)
{
    copal_option_t one, other;
    bool has = copal_option_find(a, COPAL_OPTION_CONTENT_FORMAT, &one);
    return has == copal_option_find(b, COPAL_OPTION_CONTENT_FORMAT, &other) &&
           (!has || copal_option_uint(&one) == copal_option_uint(&other));
}

/** A Reset is due for a datagram, which is sent again if none comes. */
static bool expect_reset(conform_t *c, copal_bytes_t datagram, uint16_t id)
{
    char text[CONFORM_TEXT];
    copal_message_t message;
    for (int sent = 0; sent <= RESENDS; sent++) {
        if (!conform_send(c, datagram))
            return false;
        if (!conform_receive(c, conform_now() + RESENT_AFTER, &message))
            continue;
        if (message.type != COPAL_RST || message.id != id)
            return conform_fail(c, "%s came, not a Reset with its message ID", conform_text(text, &message));
        return message.code == COPAL_EMPTY || conform_fail(c, "the Reset is not Empty");
    }
    return conform_fail(c, "a Reset was due, and nothing came");
}

bool conform_run_octets(conform_t *c)
{
    uint8_t octets[64];
    copal_bytes_t row = c->subject->octets, datagram = {octets, row.size};
    uint16_t id = ++c->id;
    memcpy(octets, row.data, row.size);
    if (row.size >= 4) {
        octets[2] = (uint8_t)(id >> 8);
        octets[3] = (uint8_t)id;
    }
    if (c->subject->expect == EXPECT_RESET)
        return expect_reset(c, datagram, id);
    c->rejected = c->subject->expect == EXPECT_REJECTED ? id : -1;
    return conform_send(c, datagram) && conform_expect_silence(c);
}

/** The resource that a row is about: the first of those that it needs. */
static void ask_row(conform_t *c, conform_ask_t *ask)
{
    const conform_case_t *row = c->subject;
    int role = 0;
    while (role < ROLE_COUNT && !(row->needs & 1u << role))
        role++;
    if (role < ROLE_COUNT)
        conform_ask(c, ask, row->code, (conform_role_t)role);
    else
        conform_ask_path(c, ask, row->code, ".well-known/core");
    ask->type = row->type;
    for (size_t i = 0; i < sizeof row->options / sizeof row->options[0] && row->options[i].value; i++)
        conform_option(ask, row->options[i].number, (copal_bytes_t){row->options[i].value, row->options[i].size});
    if (row->payload)
        ask->payload = copal_text(row->payload);
}

bool conform_run_request(conform_t *c)
{
    conform_ask_t ask;
    copal_message_t answer;
    ask_row(c, &ask);
    if (c->subject->expect == EXPECT_CODES)
        return conform_exchange(c, &ask, &answer) && conform_expect_codes(c, &answer, c->subject->codes);
    c->rejected = c->subject->expect == EXPECT_REJECTED ? ask.id : -1;
    return conform_send_ask(c, &ask) && conform_expect_silence(c);
}

/* Requests: made, encoded, exchanged. */
#define _DEFAULT_SOURCE 1 /* getentropy */
#include "conform.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACK_TIMEOUT = 2000, MAX_RETRANSMIT = 4 }; /* RFC 7252 section 4.8 */

void conform_option(conform_ask_t *ask, uint16_t number, copal_bytes_t value)
{
    if (ask->count == CONFORM_OPTIONS)
        abort(); /* a row of this program has more than there is room for */
    size_t at = ask->count++;
    for (; at && ask->options[at - 1].number > number; at--)
        ask->options[at] = ask->options[at - 1];
    ask->options[at] = (conform_option_t){number, (uint16_t)value.size, value.data};
}

void conform_uint(conform_ask_t *ask, uint16_t number, uint32_t value)
{
    uint8_t *held = ask->held[ask->numbers++];
    size_t size = 0;
    for (int shift = 24; shift >= 0; shift -= 8)
        if (size || value >> shift)
            held[size++] = (uint8_t)(value >> shift);
    conform_option(ask, number, (copal_bytes_t){held, size});
}

static void add_path(conform_ask_t *ask, copal_bytes_t encoded)
{
    copal_option_reader_t reader = {encoded.data, encoded.data + encoded.size, COPAL_OPTION_URI_PATH};
    for (copal_option_t option; copal_option_next(&reader, &option);)
        conform_option(ask, COPAL_OPTION_URI_PATH, option.value);
}

void conform_renew(conform_t *c, conform_ask_t *ask)
{
    ask->id = ++c->id;
    if (getentropy(ask->drawn, sizeof ask->drawn))
        memcpy(ask->drawn, &ask->id, sizeof ask->id); /* tokens must be different, no more than that */
}

static void begin(conform_t *c, conform_ask_t *ask, copal_code_t code)
{
    *ask = (conform_ask_t){.type = COPAL_CON, .code = code, .token = {ask->drawn, 4}};
    if (c->target->host.size)
        conform_option(ask, COPAL_OPTION_URI_HOST, c->target->host);
    conform_renew(c, ask);
}

void conform_ask(conform_t *c, conform_ask_t *ask, copal_code_t code, conform_role_t role)
{
    begin(c, ask, code);
    add_path(ask, c->target->paths[role].encoded);
}

void conform_ask_path(conform_t *c, conform_ask_t *ask, copal_code_t code, const char *path)
{
    begin(c, ask, code);
    for (size_t size; *path; path += size + (path[size] == '/')) {
        size = strcspn(path, "/");
        conform_option(ask, COPAL_OPTION_URI_PATH, (copal_bytes_t){(const uint8_t *)path, size});
    }
}

void conform_answer(conform_t *c, conform_ask_t *answer, const copal_message_t *request, copal_type_t type,
                    copal_code_t code)
{
    *answer = (conform_ask_t){.type = type, .code = code, .token = request->token};
    answer->id = type == COPAL_ACK ? request->id : ++c->id;
}

/* ---- encoding: of our own, as what is sent has to be wrong at times ------------------------------------------------ */

/** The nibble of a length or a delta, and the octets that go with it to `more` (RFC 7252 section 3.1). */
static unsigned extended(unsigned value, uint8_t more[2], size_t *size)
{
    *size = value < 13 ? 0 : value < 269 ? 1 : 2;
    if (*size == 1)
        more[0] = (uint8_t)(value - 13);
    if (*size == 2) {
        more[0] = (uint8_t)((value - 269) >> 8);
        more[1] = (uint8_t)(value - 269);
    }
    return *size ? 12 + (unsigned)*size : value;
}

static uint8_t *put(uint8_t *at, const void *octets, size_t size)
{
    if (size)
        memcpy(at, octets, size);
    return at + size;
}

static copal_bytes_t encode(conform_ask_t *ask)
{
    size_t most = 32 + ask->token.size + ask->payload.size, more_size, size;
    for (size_t i = 0; i < ask->count; i++)
        most += 5u + ask->options[i].size;
    if (most > sizeof ask->datagram)
        abort(); /* a case of this program is too large */
    uint8_t more[2], value_more[2], *at = ask->datagram;
    unsigned length = extended((unsigned)ask->token.size, more, &more_size);
    uint8_t header[] = {(uint8_t)(0x40 | ask->type << 4 | length), ask->code, (uint8_t)(ask->id >> 8),
                        (uint8_t)ask->id};
    at = put(at, header, sizeof header);
    at = put(at, more, more_size);
    at = put(at, ask->token.data, ask->token.size);
    for (size_t i = 0; i < ask->count; i++) {
        const conform_option_t *option = &ask->options[i];
        unsigned delta = extended(option->number - (i ? ask->options[i - 1].number : 0u), more, &more_size);
        *at++ = (uint8_t)(delta << 4 | extended(option->size, value_more, &size));
        at = put(at, more, more_size);
        at = put(at, value_more, size);
        at = put(at, option->value, option->size);
    }
    if (ask->payload.size) {
        *at++ = 0xff;
        at = put(at, ask->payload.data, ask->payload.size);
    }
    return (copal_bytes_t){ask->datagram, (size_t)(at - ask->datagram)};
}

bool conform_send_ask(conform_t *c, conform_ask_t *ask)
{
    return conform_send(c, encode(ask));
}

/* ---- exchanging ------------------------------------------------------------------------------------------------------ */

bool conform_same(copal_bytes_t a, copal_bytes_t b)
{
    return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

conform_relation_t conform_relate(conform_t *c, const conform_ask_t *ask, const copal_message_t *message)
{
    bool mine = message->id == ask->id, response = COPAL_CODE_CLASS(message->code) >= 2;
    if (message->type == COPAL_RST && message->code == COPAL_EMPTY && message->id == c->rejected)
        return CONFORM_ALLOWED;
    if (message->type == COPAL_RST)
        return mine ? CONFORM_ANSWERED : CONFORM_UNRELATED;
    if (message->type == COPAL_ACK && (!mine || message->code == COPAL_EMPTY))
        return mine ? CONFORM_ACKNOWLEDGED : CONFORM_UNRELATED;
    if (message->type == COPAL_ACK && ask->type == COPAL_NON)
        conform_fail(c, "a Non-confirmable message was acknowledged");
    else if (message->type == COPAL_ACK && !conform_same(message->token, ask->token))
        conform_fail(c, "the response has not the token of the request");
    else if (!response || !conform_same(message->token, ask->token))
        return CONFORM_UNRELATED;
    if (message->type == COPAL_CON)
        conform_send_empty(c, COPAL_ACK, message->id);
    return CONFORM_ANSWERED;
}

static bool exchange_once(conform_t *c, conform_ask_t *ask, copal_message_t *answer)
{
    int64_t now = conform_now(), end = now + c->target->timeout, wait = ACK_TIMEOUT, next = now;
    bool acknowledged = false;
    for (int sent = 0; now < end && c->verdict == VERDICT_NONE; now = conform_now()) {
        if (!acknowledged && sent <= MAX_RETRANSMIT && now >= next) {
            if (sent++ && ask->type == COPAL_NON)
                ask->id = ++c->id; /* nothing sends a NON again: it is asked once more */
            if (!conform_send_ask(c, ask))
                return false;
            next = now + wait;
            wait *= 2;
        }
        bool waits = acknowledged || sent > MAX_RETRANSMIT || next > end;
        if (!conform_receive(c, waits ? end : next, answer))
            continue;
        conform_relation_t relation = conform_relate(c, ask, answer);
        acknowledged = acknowledged || relation == CONFORM_ACKNOWLEDGED;
        if (relation == CONFORM_UNRELATED && c->held_count < CONFORM_HELD)
            c->held[c->held_count++] = *answer;
        if (relation == CONFORM_ANSWERED)
            return c->verdict == VERDICT_NONE;
    }
    return conform_fail(c,
                        acknowledged ? "it was acknowledged, and no response came in %u s" : "no answer came in %u s",
                        c->target->timeout / 1000);
}

bool conform_exchange(conform_t *c, conform_ask_t *ask, copal_message_t *answer)
{
    copal_option_t echo;
    if (!exchange_once(c, ask, answer))
        return false;
    if (answer->code != COPAL_UNAUTHORIZED || !copal_option_find(answer, COPAL_OPTION_ECHO, &echo))
        return true;
    conform_option(ask, COPAL_OPTION_ECHO, echo.value);
    conform_renew(c, ask);
    return exchange_once(c, ask, answer);
}

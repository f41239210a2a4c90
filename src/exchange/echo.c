#include "echo.h"

#include <string.h>

#define TWEAK 0x6563686fu
#define LIFE (5u * 60u) /* how long a value is good, in units of 1,024 ms */

/* On the wire as it stands in memory: nobody but us reads it. */
typedef struct {
    uint64_t hash; /* of peer and what follows */
    uint32_t time; /* units of 1,024 ms */
    uint32_t digest;
    uint16_t id; /* of the message that was challenged */
    uint8_t check;
} value_t;
#define VALUE_SIZE (offsetof(value_t, check) + 1)

/* The hash, of peer and time, and the lower octets of the time. */
#define SHORT_TWEAK 0x73686f72u
#define SHORT_TIME  3u
#define SHORT_SIZE  (sizeof(uint64_t) + SHORT_TIME)
#define SHORT_MASK  0xffffffu

static uint32_t time_of(const copal__serving_t *s) { return copal__units(s->call.now); }

static uint64_t seal(const copal__serving_t *s, const value_t *v)
{
    const size_t from = offsetof(value_t, time);
    return copal__hash(&s->call.endpoint->key, s->origin.peer ^ TWEAK, &v->time, VALUE_SIZE - from);
}

/* What a request asks for, so that it is known again when it comes with an Echo option. */
static uint32_t digest(const copal__serving_t *s)
{
    const copal_message_t *m = s->call.request;
    const copal__key_t *key = &s->call.endpoint->key;
    copal_option_reader_t reader = copal_message_options(m);
    const uint8_t *end = reader.at;
    copal_option_t option;
    while (copal_option_next(&reader, &option) && option.number < COPAL_OPTION_ECHO)
        end = reader.at;
    uint64_t options = copal__hash(key, TWEAK + m->code, m->options.data, (size_t)(end - m->options.data));
    return (uint32_t)copal__hash(key, options, m->payload.data, m->payload.size);
}

void copal__echo_write(const copal__serving_t *s, copal_writer_t *w)
{
    value_t v = {.time = time_of(s), .digest = digest(s), .id = s->origin.id, .check = s->origin.check};
    v.hash = seal(s, &v);
    copal_write_option(w, COPAL_OPTION_ECHO, (copal_bytes_t){(const uint8_t *)&v, VALUE_SIZE});
}

static uint64_t seal_short(const copal__serving_t *s, uint32_t time)
{
    return copal__hash(&s->call.endpoint->key, s->origin.peer ^ SHORT_TWEAK, &time, sizeof time);
}

void copal__echo_write_short(const copal__serving_t *s, copal_writer_t *w)
{
    uint8_t value[SHORT_SIZE];
    uint32_t time = time_of(s) & SHORT_MASK;
    uint64_t hash = seal_short(s, time);
    memcpy(value, &hash, sizeof hash);
    for (size_t i = 0; i < SHORT_TIME; i++)
        value[sizeof hash + i] = (uint8_t)(time >> 8 * i);
    copal_write_option(w, COPAL_OPTION_ECHO, (copal_bytes_t){value, SHORT_SIZE});
}

static bool check_short(const copal__serving_t *s)
{
    const uint8_t *value = s->options.echo.data;
    uint64_t hash;
    uint32_t time = 0;
    memcpy(&hash, value, sizeof hash);
    for (size_t i = 0; i < SHORT_TIME; i++)
        time |= (uint32_t)value[sizeof hash + i] << 8 * i;
    return hash == seal_short(s, time) && ((time_of(s) - time) & SHORT_MASK) <= LIFE;
}

bool copal__echo_check(const copal__serving_t *s, copal__origin_t *first)
{
    value_t v;
    if (s->options.echo.size == SHORT_SIZE)
        return check_short(s);
    if (s->options.echo.size != VALUE_SIZE)
        return false;
    memcpy(&v, s->options.echo.data, VALUE_SIZE);
    if (v.hash != seal(s, &v) || time_of(s) - v.time > LIFE)
        return false;
    if (v.digest == digest(s) && v.id != s->call.request->id) {
        first->id = v.id;
        first->check = v.check;
        first->key = copal__message_key(s->origin.peer, s->call.from->via, v.id);
    }
    return true;
}

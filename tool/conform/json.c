/* What the cases came to, as one JSON object. */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <json-c/json.h>
#include <stdlib.h>

static void add_text(json_object *object, const char *name, copal_bytes_t text)
{
    json_object_object_add(object, name, json_object_new_string_len((const char *)text.data, (int)text.size));
}

static char *decoded(const conform_datagram_t *datagram)
{
    char *text = NULL;
    size_t size;
    FILE *stream = conform_memory(open_memstream(&text, &size));
    tool_print_message(stream, (copal_bytes_t){datagram->octets, datagram->size});
    fclose(stream);
    return conform_memory(text);
}

static char *hexed(const conform_datagram_t *datagram)
{
    char *text = conform_memory(malloc(2 * datagram->size + 1)), *at = text;
    *at = 0;
    for (size_t i = 0; i < datagram->size; i++, at += 2)
        snprintf(at, 3, "%02x", datagram->octets[i]);
    return text;
}

static json_object *datagrams(const conform_t *c)
{
    json_object *array = json_object_new_array();
    for (const conform_datagram_t *d = c->log; d; d = d->next) {
        json_object *entry = json_object_new_object();
        char *text = decoded(d), *hex = hexed(d);
        json_object_object_add(entry, "seconds", json_object_new_double((double)d->at / 1000));
        json_object_object_add(entry, "sent", json_object_new_boolean(d->outgoing));
        add_text(entry, "octets", copal_text(hex));
        add_text(entry, "message", copal_text(text));
        json_object_array_add(array, entry);
        free(text);
        free(hex);
    }
    return array;
}

static json_object *one_case(const conform_t *c)
{
    json_object *object = json_object_new_object();
    copal_bytes_t rfc, section;
    conform_section(c->subject, &rfc, &section);
    add_text(object, "name", copal_text(c->subject->name));
    add_text(object, "rfc", rfc);
    add_text(object, "section", section);
    add_text(object, "level", copal_text(c->subject->level == CONFORM_MUST ? "MUST" : "SHOULD"));
    add_text(object, "says", copal_text(c->subject->says));
    add_text(object, "outcome", copal_text(conform_outcome(c)));
    if (*c->reason)
        add_text(object, "reason", copal_text(c->reason));
    json_object_object_add(object, "datagrams", datagrams(c));
    return object;
}

void conform_print_json(const conform_result_t *result)
{
    const conform_target_t *target = result->target;
    json_object *object = conform_memory(json_object_new_object()), *resources = json_object_new_object(),
                *cases = json_object_new_array();
    size_t counts[CONFORM_OUTCOMES];
    conform_count(result, counts);
    for (int role = 0; role < ROLE_COUNT; role++)
        if (target->named[role])
            add_text(resources, conform_role_name((conform_role_t)role), copal_text(target->named[role]));
    for (size_t i = 0; i < result->count; i++)
        json_object_array_add(cases, one_case(&result->cases[i]));
    add_text(object, "uri", copal_text(target->uri));
    json_object_object_add(object, "resources", resources);
    json_object_object_add(object, "cases", cases);
    for (size_t outcome = 0; outcome < CONFORM_OUTCOMES; outcome++)
        json_object_object_add(object, conform_outcomes[outcome], json_object_new_int64((int64_t)counts[outcome]));
    puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

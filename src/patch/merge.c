/* JSON merge patches (RFC 7396), and which patch is which. */
#include <errno.h>
#include <string.h>

#include "json.h"

enum { JSON_PATCH = 51, MERGE_PATCH = 52 };

static bool merge_member(struct json_object *target, const char *name, struct json_object *patch)
{
    if (!patch) {
        json_object_object_del(target, name);
        return true;
    }
    struct json_object *member = json_object_get(json_object_object_get(target, name));
    if (copal__json_merge(&member, patch) && json_object_object_add(target, name, member) == 0)
        return true;
    json_object_put(member);
    return false;
}

/* The steps of RFC 7396 section 2. */
bool copal__json_merge(struct json_object **target, struct json_object *patch)
{
    bool is_object = json_object_is_type(patch, json_type_object), ok = true;
    if (!is_object || !json_object_is_type(*target, json_type_object)) {
        json_object_put(*target);
        *target = is_object ? json_object_new_object() : json_object_get(patch);
    }
    if (!is_object)
        return true;
    if (!*target)
        return false;
    json_object_object_foreach(patch, name, member)
    {
        ok = ok && merge_member(*target, name, member);
    }
    return ok;
}

/* Writes the outcome, where it fits and can be read again. */
static copal_code_t write(struct json_object *json, uint8_t *out, size_t *size)
{
    size_t length;
    struct json_object *again;
    const char *text = json_object_to_json_string_length(json, COPAL__JSON_FLAGS, &length);
    if (!text)
        return COPAL_SERVICE_UNAVAILABLE;
    if (length > *size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    if (!copal__json_read(&again, (copal_bytes_t){(const uint8_t *)text, length}))
        return COPAL_CONFLICT;
    json_object_put(again);
    memcpy(out, text, length);
    *size = length;
    return 0;
}

static copal_code_t apply(uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out, size_t *size)
{
    struct json_object *target, *change;
    if (format != JSON_PATCH && format != MERGE_PATCH)
        return COPAL_UNSUPPORTED_CONTENT_FORMAT;
    if (!copal__json_read(&change, patch))
        return COPAL_BAD_REQUEST;
    if (!copal__json_read(&target, value)) {
        json_object_put(change);
        return COPAL_CONFLICT;
    }
    copal_code_t code = 0;
    if (format == JSON_PATCH)
        code = copal__json_apply(&target, change, *size);
    else if (!copal__json_merge(&target, change))
        code = COPAL_SERVICE_UNAVAILABLE;
    if (!code)
        code = write(target, out, size);
    json_object_put(target);
    json_object_put(change);
    return code;
}

/* json-c does not tell its callers from a text that is none when it is out of memory; malloc tells by errno. */
copal_code_t copal_json_patch(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                              size_t *size)
{
    (void)user;
    errno = 0;
    const copal_code_t code = apply(format, value, patch, out, size);
    return errno == ENOMEM ? COPAL_SERVICE_UNAVAILABLE : code;
}

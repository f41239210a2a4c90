/* JSON Patch: a sequence of operations, of which all or none is done (RFC 6902). */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

/* Of what is worked on, so that whoever walks it does not run out of stack; far more than of what can be read. */
enum { LEVELS = 8 * JSON_TOKENER_DEFAULT_DEPTH };

/* What is worked on. */
typedef struct {
    struct json_object *root;
    size_t copies; /* octets that may still be copied */
    size_t levels; /* it is nested no deeper, and may be less deep */
} document_t;

/* Where a pointer (RFC 6901) leads: a member of an object, an element of an array, or the root. */
typedef struct {
    struct json_object *parent; /* NULL: the root itself */
    size_t level;               /* how many tokens lead there */
    char *name;                 /* the last token, without escapes; NULL for the root */
    bool is_array;
    size_t index; /* the length of the array: behind its last */
} place_t;

static bool unescape(char *token)
{
    char *to = token;
    for (; *token; token++) {
        if (*token == '~') {
            if (token[1] != '0' && token[1] != '1')
                return false;
            *to++ = *++token == '0' ? '~' : '/';
        } else {
            *to++ = *token;
        }
    }
    *to = 0;
    return true;
}

/* "digits without leading zeros", or "-" (RFC 6901 section 4). False: no place in this array or behind it. */
static bool read_index(place_t *p)
{
    size_t length = json_object_array_length(p->parent), digits = strspn(p->name, "0123456789");
    p->index = length;
    if (strcmp(p->name, "-") == 0)
        return true;
    if (!digits || digits > 9 || p->name[digits] || (digits > 1 && p->name[0] == '0'))
        return false;
    p->index = (size_t)strtoul(p->name, NULL, 10);
    return p->index <= length;
}

/* Finds the place where something is or may be put. The name is to be freed in any case. */
static copal_code_t find(const document_t *d, struct json_object *pointer, place_t *p)
{
    *p = (place_t){0};
    const char *text = json_object_get_string(pointer);
    if (!json_object_is_type(pointer, json_type_string))
        return COPAL_BAD_REQUEST;
    if (!*text)
        return 0;
    for (const char *at = text; *at; at++)
        p->level += *at == '/';
    const char *slash = strrchr(text, '/');
    if (!slash || *text != '/')
        return COPAL_BAD_REQUEST;
    char *above = strndup(text, (size_t)(slash - text));
    p->name = strdup(slash + 1);
    if (!above || !p->name || !unescape(p->name)) {
        copal_code_t code = above && p->name ? COPAL_BAD_REQUEST : COPAL_SERVICE_UNAVAILABLE;
        free(above);
        return code;
    }
    int error = json_pointer_get(d->root, above, &p->parent);
    free(above);
    if (error || !p->parent)
        return COPAL_CONFLICT;
    p->is_array = json_object_is_type(p->parent, json_type_array);
    if (p->is_array ? !read_index(p) : !json_object_is_type(p->parent, json_type_object))
        return COPAL_CONFLICT;
    return 0;
}

/* What is at a place; false: nothing. */
static bool get(const document_t *d, const place_t *p, struct json_object **value)
{
    if (!p->parent) {
        *value = d->root;
        return true;
    }
    if (!p->is_array)
        return json_object_object_get_ex(p->parent, p->name, value);
    *value = json_object_array_get_idx(p->parent, p->index);
    return p->index < json_object_array_length(p->parent);
}

/* Something is there. */
static void take_away(document_t *d, const place_t *p)
{
    if (!p->parent) {
        json_object_put(d->root);
        d->root = NULL;
    } else if (p->is_array) {
        json_object_array_del_idx(p->parent, p->index, 1);
    } else {
        json_object_object_del(p->parent, p->name);
    }
}

/* Puts a value of up to so many levels in, which it takes: in an array in front of what is there. */
static copal_code_t put(document_t *d, const place_t *p, struct json_object *value, size_t levels)
{
    int error = 0;
    if (p->level + levels > LEVELS) {
        json_object_put(value);
        return COPAL_CONFLICT;
    }
    if (p->level + levels > d->levels)
        d->levels = p->level + levels;
    if (!p->parent) {
        json_object_put(d->root);
        d->root = value;
    } else if (p->is_array) {
        error = json_object_array_add(p->parent, value);
        struct array_list *list = json_object_get_array(p->parent);
        for (size_t i = error ? 0 : list->length - 1; i > p->index; i--)
            list->array[i] = list->array[i - 1];
        if (!error)
            list->array[p->index] = value;
    } else {
        error = json_object_object_add(p->parent, p->name, value);
    }
    if (error)
        json_object_put(value);
    return error ? COPAL_SERVICE_UNAVAILABLE : 0;
}

/* ---- the operations --------------------------------------------------------------------------------------------- */

/* Each is handed the place that "path" names and the operation. */
typedef copal_code_t operation_t(document_t *d, const place_t *at, struct json_object *operation);

static copal_code_t add(document_t *d, const place_t *at, struct json_object *operation)
{
    struct json_object *value;
    if (!json_object_object_get_ex(operation, "value", &value))
        return COPAL_BAD_REQUEST;
    /* A copy, since what follows may change it. Each octet of it is in the patch: no need to bound it. */
    struct json_object *copy = NULL;
    if (value && json_object_deep_copy(value, &copy, NULL) != 0)
        return COPAL_SERVICE_UNAVAILABLE;
    return put(d, at, copy, JSON_TOKENER_DEFAULT_DEPTH);
}

static copal_code_t take(document_t *d, const place_t *at, struct json_object *operation)
{
    struct json_object *value;
    (void)operation;
    if (!get(d, at, &value))
        return COPAL_CONFLICT;
    take_away(d, at);
    return 0;
}

static copal_code_t replace(document_t *d, const place_t *at, struct json_object *operation)
{
    struct json_object *value;
    if (!json_object_object_get_ex(operation, "value", &value))
        return COPAL_BAD_REQUEST;
    if (!get(d, at, &value))
        return COPAL_CONFLICT;
    if (at->parent && at->is_array)
        json_object_array_del_idx(at->parent, at->index, 1);
    return add(d, at, operation); /* a member's old value makes room for the new one, in its place */
}

static copal_code_t test(document_t *d, const place_t *at, struct json_object *operation)
{
    struct json_object *value, *present;
    if (!json_object_object_get_ex(operation, "value", &value))
        return COPAL_BAD_REQUEST;
    return get(d, at, &present) && copal__json_equal(value, present) ? 0 : COPAL_CONFLICT;
}

/* At least as many octets as the text of a value has. */
static size_t weight(struct json_object *json)
{
    size_t sum = 2;
    if (json_object_is_type(json, json_type_object)) {
        json_object_object_foreach(json, name, member) sum += strlen(name) + 4 + weight(member);
    } else if (json_object_is_type(json, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(json); i++)
            sum += 1 + weight(json_object_array_get_idx(json, i));
    } else {
        const char *text = json_object_to_json_string_ext(json, COPAL__JSON_FLAGS);
        sum += text ? strlen(text) : 0; /* out of memory: so is what comes next */
    }
    return sum;
}

/* A few copies of copies would be more than any memory has: there is a bound on all of them. */
static copal_code_t copy(document_t *d, struct json_object *value, struct json_object **out)
{
    size_t size = weight(value);
    *out = NULL;
    if (size > d->copies)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    d->copies -= size;
    return value && json_object_deep_copy(value, out, NULL) != 0 ? COPAL_SERVICE_UNAVAILABLE : 0;
}

/* Puts what "from" names at "path", whose place is found anew, since a move may have shifted it. */
static copal_code_t transfer(document_t *d, struct json_object *operation, bool move)
{
    struct json_object *from = json_object_object_get(operation, "from"), *value, *taken = NULL;
    place_t source, target = {0};
    copal_code_t code = find(d, from, &source);
    const size_t levels = d->levels > source.level ? d->levels - source.level : 0;
    if (!code && !get(d, &source, &value))
        code = COPAL_CONFLICT;
    if (!code && !move)
        code = copy(d, value, &taken);
    if (!code && move) {
        taken = json_object_get(value);
        take_away(d, &source);
    }
    if (!code) {
        code = find(d, json_object_object_get(operation, "path"), &target);
        if (code)
            json_object_put(taken);
        else
            code = put(d, &target, taken, levels);
    }
    free(source.name);
    free(target.name);
    return code;
}

static copal_code_t duplicate(document_t *d, const place_t *at, struct json_object *operation)
{
    (void)at;
    return transfer(d, operation, false);
}

/* "The "from" location MUST NOT be a proper prefix of the "path" location" (RFC 6902 section 4.4). */
static copal_code_t move(document_t *d, const place_t *at, struct json_object *operation)
{
    (void)at;
    const char *path = json_object_get_string(json_object_object_get(operation, "path"));
    const char *from = json_object_get_string(json_object_object_get(operation, "from"));
    size_t size = from ? strlen(from) : 0;
    if (from && strncmp(path, from, size) == 0 && path[size] == '/')
        return COPAL_BAD_REQUEST;
    return transfer(d, operation, true);
}

static const struct {
    const char *name;
    operation_t *apply;
} operations[] = {{"add", add},   {"remove", take},    {"replace", replace},
                  {"move", move}, {"copy", duplicate}, {"test", test}};

static copal_code_t apply(document_t *d, struct json_object *operation)
{
    place_t place = {0};
    struct json_object *op = json_object_object_get(operation, "op");
    if (!json_object_is_type(operation, json_type_object) || !json_object_is_type(op, json_type_string))
        return COPAL_BAD_REQUEST;
    size_t i = 0, count = sizeof operations / sizeof *operations;
    while (i < count && strcmp(operations[i].name, json_object_get_string(op)) != 0)
        i++;
    if (i == count)
        return COPAL_BAD_REQUEST;
    copal_code_t code = find(d, json_object_object_get(operation, "path"), &place);
    if (!code)
        code = operations[i].apply(d, &place, operation);
    free(place.name);
    return code;
}

copal_code_t copal__json_apply(struct json_object **target, struct json_object *patch, size_t copies)
{
    if (!json_object_is_type(patch, json_type_array))
        return COPAL_BAD_REQUEST;
    document_t d = {*target, copies, JSON_TOKENER_DEFAULT_DEPTH};
    copal_code_t code = 0;
    for (size_t i = 0; !code && i < json_object_array_length(patch); i++)
        code = apply(&d, json_object_array_get_idx(patch, i));
    *target = d.root;
    return code;
}

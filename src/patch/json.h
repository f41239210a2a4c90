/* JSON by json-c, in such a way that what is read and written again says the same. */
#ifndef COPAL_PATCH_JSON_H
#define COPAL_PATCH_JSON_H

#include <json-c/json.h>

#include "copal/patch.h"

/** How a text is written. */
#define COPAL__JSON_FLAGS (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/** Reads a text; `*json` is the caller's (NULL is JSON's null). False: it is none that can be kept as it is. */
bool copal__json_read(struct json_object **json, copal_bytes_t text);
/** Whether two values are equal as RFC 6902 section 4.6 says: numbers by what they say, objects in any order. */
bool copal__json_equal(struct json_object *a, struct json_object *b);

/** Applies a merge patch (RFC 7396) to `*target`. False: out of memory. */
bool copal__json_merge(struct json_object **target, struct json_object *patch);
/** Applies a JSON Patch (RFC 6902) to `*target`, of which it copies up to `copies` octets. 0, or the code of the answer. */
copal_code_t copal__json_apply(struct json_object **target, struct json_object *patch, size_t copies);

#endif

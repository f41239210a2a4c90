/* Patches for values of application/json, outside of the core: they take json-c, and memory from malloc. */
#ifndef COPAL_PATCH_H
#define COPAL_PATCH_H

#include "copal/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Applies a JSON merge patch (format 52, RFC 7396) or a JSON Patch (format 51, RFC 6902): what copal_tree_config_t.patch is
 *  to be; `user` is not looked at. Names keep their order and numbers their digits; white space between them goes.
 *  0, or the code of the answer: 4.15 for another format; 4.00: the patch is no JSON, or none of its format; 4.09: the value
 *  is no JSON, or the patch does not fit it, or makes a text that is nested more than 32 deep; 4.13: the outcome does not
 *  fit `*size` octets, or more than that are copied by the patch; 5.03: out of memory, which json-c itself may
 *  not survive. JSON is RFC 8259's; with a name twice in an object, a NUL or half of a surrogate pair in a string it counts as
 *  none. */
copal_code_t copal_json_patch(void *user, uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out,
                              size_t *size);

#ifdef __cplusplus
}
#endif
#endif

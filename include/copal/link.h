/* CoRE link-format: write, read, filter (RFC 6690). */
#ifndef COPAL_LINK_H
#define COPAL_LINK_H

#include "copal/message.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One link: target between "<" and ">", and its attributes as text, borrowed from the document. */
typedef struct {
    copal_bytes_t target;     /* without the angle brackets */
    copal_bytes_t attributes; /* `;rt="a b";ct=0`, or empty */
} copal_link_t;

/** One attribute. `value` is without quotes but still escaped; `quoted` tells. A flag has an empty, unquoted value. */
typedef struct {
    copal_bytes_t name, value;
    bool quoted;
} copal_attribute_t;

/** Takes the next link off the front of `document`. 1: one link; 0: the end; COPAL_EFORMAT: no link-format from here. */
int copal_link_next(copal_bytes_t *document, copal_link_t *link);

/** Takes the next attribute off the front of `attributes` (RFC 6690 section 2; a bare `title=a` is accepted too).
 *  1, 0 or COPAL_EFORMAT as above. */
int copal_attribute_next(copal_bytes_t *attributes, copal_attribute_t *attribute);

/** Writes `;name=value` into `out`: a value that is a plain token or quoted already as it is, any other quoted and escaped
 *  (`;title="a b"`); an empty unquoted value as a flag `;name`.
 *  Returns the octets written; COPAL_ESPACE; COPAL_EINVAL: the name is no parmname (section 2). */
int copal_attribute_write(char *out, size_t capacity, copal_bytes_t name, copal_bytes_t value);

/** Whether a link fits a query argument as in `?rt=light*` (section 4.1): `href` compares the target, `rt`, `if`,
 *  `rel` and `rev` any word of a space-separated value, every other name the whole value; a trailing "*" makes it a
 *  prefix. `argument` is a decoded Uri-Query value; one without "=" fits a link that has the attribute. */
bool copal_link_matches(const copal_link_t *link, copal_bytes_t argument);

#ifdef __cplusplus
}
#endif
#endif

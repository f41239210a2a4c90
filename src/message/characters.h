/* Classes of ASCII characters, and percent-encoding (RFC 3986 section 2). */
#ifndef COPAL_MESSAGE_CHARACTERS_H
#define COPAL_MESSAGE_CHARACTERS_H

#include "copal/base.h"

#define COPAL__UNRESERVED "-._~"          /* besides letters and digits (RFC 3986 section 2.3) */
#define COPAL__SUB_DELIMS "!$&'()*+,;="   /* section 2.2 */
#define COPAL__PCHAR COPAL__UNRESERVED COPAL__SUB_DELIMS ":@" /* section 3.3, without percent-encoding */

/** Takes `size` octets off the front. An empty text may have no address, which may not be added to. */
static inline void copal__drop(copal_bytes_t *text, size_t size)
{
    if (size) {
        text->data += size;
        text->size -= size;
    }
}

/** Whether `c` is a letter or digit of ASCII, or one of `others`. */
bool copal__is_alnum_or(uint8_t c, const char *others);

/** The value of a hexadecimal digit; -1: `c` is none. */
int copal__hex_digit(uint8_t c);

/** The octet without the percent-encoding at the front of `text`; takes its one or three characters off. -1: "%"
 *  without two hexadecimal digits. */
int copal__percent_next(copal_bytes_t *text);

/** How many octets `text` has once decoded; -1: bad percent-encoding. */
ptrdiff_t copal__percent_size(copal_bytes_t text);

/** Writes well-formed `text` decoded to `out`. */
void copal__percent_decode(uint8_t *out, copal_bytes_t text);

/** The front of `*text` up to `delimiter` into `part`, and both taken off. False: there is no delimiter, all was taken. */
bool copal__split(copal_bytes_t *text, uint8_t delimiter, copal_bytes_t *part);

/** Text on its way out. `size` counts what is offered, also what does not fit. */
typedef struct {
    char *data;
    size_t size, capacity;
} copal__text_t;

void copal__text_put(copal__text_t *text, uint8_t c);
void copal__text_add(copal__text_t *text, const char *string);
/** Adds octets with every one percent-encoded that is no letter, digit or one of `others`. */
void copal__text_add_encoded(copal__text_t *text, copal_bytes_t bytes, const char *others);
/** Ends it with NUL. Its length, or COPAL_ESPACE. */
int copal__text_finish(copal__text_t *text);

#endif

/* Concise Problem Details (RFC 9290): an error's title and its diagnostic as a CBOR map (RFC 8949 section 3), for clients that
 * accept that. */
#include "../message/writer.h"
#include "state.h"

#include <string.h>

#define MAP        0xa0u
#define TEXT       0x60u
#define TEXT_1     0x78u /* the size follows in 1 octet */
#define TEXT_2     0x79u /* in 2 */
#define KEY_TITLE  0x20u /* -1 */
#define KEY_DETAIL 0x21u /* -2 */

#define HEAD_MOST 64u /* octets before the diagnostic: map, title, its head */
#define MORE      4u  /* Content-Format, and a payload marker */

static uint8_t *put_text_head(uint8_t *at, size_t size)
{
    if (size >= 256) {
        *at++ = TEXT_2;
        *at++ = (uint8_t)(size >> 8);
    } else if (size >= 24) {
        *at++ = TEXT_1;
    } else {
        size |= TEXT;
    }
    *at++ = (uint8_t)size;
    return at;
}

/* All but the diagnostic itself, which is the last text of the map. */
static size_t put_head(uint8_t *head, const char *title, size_t diagnostic)
{
    size_t size = strlen(title);
    uint8_t *at = head;
    *at++ = (uint8_t)(MAP + (size > 0) + (diagnostic > 0));
    if (size) {
        *at++ = KEY_TITLE;
        at = put_text_head(at, size);
        memcpy(at, title, size);
        at += size;
    }
    if (diagnostic) {
        *at++ = KEY_DETAIL;
        at = put_text_head(at, diagnostic);
    }
    return (size_t)(at - head);
}

void copal__problem_describe(copal_writer_t *w)
{
    const char *title = copal_code_text(w->data[1]);
    uint8_t head[HEAD_MOST];
    copal_option_t format;
    size_t diagnostic = w->payload ? w->size - w->payload : 0;
    if (w->error || (!*title && !diagnostic) || diagnostic > UINT16_MAX ||
        copal__written(w, COPAL_OPTION_CONTENT_FORMAT, &format))
        return;
    size_t size = put_head(head, title, diagnostic);
    if (w->capacity - w->size < size + MORE)
        return; /* then it is a diagnostic, or nothing */
    if (!w->payload) {
        copal_write_payload(w, (copal_bytes_t){head, size});
    } else {
        memmove(w->data + w->payload + size, w->data + w->payload, diagnostic);
        memcpy(w->data + w->payload, head, size);
        w->size += size;
    }
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, COPAL__FORMAT_PROBLEM);
}

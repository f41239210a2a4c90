/* The payload of an answer, which may come in blocks: the script sees one answer, no inner ones. */
#include <stdlib.h>
#include <string.h>

#include "network_coap.h"

#define BODY_MOST ((size_t)1 << 20) /* octets; a server that never ends shall not fill the memory */

int coap_body_put(coap_body_t *body, size_t offset, copal_bytes_t octets)
{
    size_t size = offset + octets.size;
    if (size > BODY_MOST) {
        return COPAL_ESPACE;
    }
    if (size > body->capacity) {
        uint8_t *grown = realloc(body->data, 2 * size);
        if (grown == NULL) {
            return COPAL_ENOMEM;
        }
        body->data = grown;
        body->capacity = 2 * size;
    }
    if (octets.size > 0) {
        memcpy(body->data + offset, octets.data, octets.size);
    }
    body->size = size;
    return 0;
}

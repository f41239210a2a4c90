/* From Uri-Path to a path below the directory. */
#include "directory.h"

#include <string.h>

copal__refusal_t copal__trail_read(copal__trail_t *trail, const copal_call_t *call)
{
    const copal_message_t path = {.options = call->options->path};
    copal_option_reader_t reader = copal_message_options(&path);
    copal_option_t segment;
    trail->size = 0;
    trail->slash = false;
    for (uint32_t depth = 0; copal_option_next(&reader, &segment); depth++) {
        if (depth < call->depth)
            continue;
        copal_bytes_t name = segment.value;
        if (trail->slash)
            return copal__refusal(COPAL_NOT_FOUND, NULL); /* something behind an empty name */
        trail->slash = !name.size;
        if (trail->slash)
            continue;
        /* These would be other places than the peer's URI says. */
        if (memchr(name.data, '/', name.size) || memchr(name.data, 0, name.size))
            return copal__refusal(COPAL_BAD_REQUEST, "no file name has such a character");
        if (name.data[0] == '.' || name.size + 2 > sizeof trail->path - trail->size)
            return copal__refusal(COPAL_NOT_FOUND, NULL);
        if (trail->size)
            trail->path[trail->size++] = '/';
        memcpy(trail->path + trail->size, name.data, name.size);
        trail->size += name.size;
    }
    trail->path[trail->size] = 0;
    return COPAL__GRANTED;
}

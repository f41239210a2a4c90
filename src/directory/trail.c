/* From Uri-Path to a path below the directory. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <fcntl.h>
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

int copal__trail_open_parent(const copal__trail_t *trail, int root, const char **name)
{
    char parent[COPAL__TRAIL_SIZE];
    const char *slash = strrchr(trail->path, '/');
    *name = slash ? slash + 1 : trail->path;
    size_t size = slash ? (size_t)(slash - trail->path) : 0;
    memcpy(parent, trail->path, size);
    parent[size] = 0;
    return copal__open_beneath(root, parent, O_RDONLY | O_DIRECTORY);
}

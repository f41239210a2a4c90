/* The content of a file, of which only the block that is asked for is read. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <errno.h>
#include <unistd.h>

/* The file may have become shorter since its size was read. */
static int read_part(void *context, size_t offset, void *out, size_t size)
{
    const copal__get_t *g = context;
    uint8_t *at = out;
    while (size) {
        ssize_t got = pread(g->fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return COPAL_ESYSTEM;
        at += got;
        offset += (size_t)got;
        size -= (size_t)got;
    }
    return 0;
}

/* The number of a block has 20 bits (RFC 7959 section 2.2). */
copal__refusal_t copal__write_file(copal__get_t *g, copal_writer_t *w)
{
    uint64_t size = (uint64_t)g->state.st_size;
    if (size > COPAL__BODY_MOST)
        return copal__refusal(COPAL_INTERNAL_SERVER_ERROR, "file is over 1 GiB, the most that blocks can carry");
    if (size > (uint64_t)w->window << 20)
        return copal__refusal(COPAL_BAD_REQUEST, "file needs larger blocks");
    copal_write_body(w, (size_t)size, read_part, g);
    return COPAL__GRANTED;
}

/* GET: what the path names is opened, described, and written block by block (RFC 7959 section 2.4). */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TRIES = 3 }; /* to read a block of what changes meanwhile */

static copal__refusal_t answer(copal__get_t *g)
{
    copal_call_t *call = g->call;
    copal__tag_t tag = copal__tag_of(&g->state);
    if (!copal__tag_permits(call, &tag))
        return copal__refusal(COPAL_PRECONDITION_FAILED, NULL);
    if (call->options->accept >= 0 && call->options->accept != g->format)
        return copal__refusal(COPAL_NOT_ACCEPTABLE, NULL);
    if (copal__tag_is_known(call->request, &tag)) {
        copal__tag_reply(call, COPAL_VALID, &tag);
        return COPAL__GRANTED;
    }
    copal_writer_t *w = copal__tag_reply(call, COPAL_CONTENT, &tag);
    copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, g->format);
    return g->write(g, w);
}

/* What was read belongs to the ETag only if the state is the same before and after. */
static copal__refusal_t answer_unchanged(copal__get_t *g)
{
    for (int i = 0; i < TRIES; i++) {
        copal__tag_t before = copal__tag_of(&g->state);
        copal__refusal_t refusal = answer(g);
        if (refusal.code)
            return refusal;
        if (fstat(g->fd, &g->state) != 0)
            return copal__refusal_of(errno);
        copal__tag_t after = copal__tag_of(&g->state);
        if (copal__tag_equal(&before, &after))
            return COPAL__GRANTED;
    }
    return copal__refusal(COPAL_SERVICE_UNAVAILABLE, "file is being changed");
}

static copal__refusal_t serve(copal__get_t *g)
{
    if (fstat(g->fd, &g->state) != 0)
        return copal__refusal_of(errno);
    if (S_ISDIR(g->state.st_mode)) {
        g->format = COPAL__LINK_FORMAT;
        g->write = copal__write_list;
    } else if (S_ISREG(g->state.st_mode) && !g->trail->slash) {
        g->format = copal__suffix_format(g->trail->path);
        g->write = copal__write_file;
    } else {
        return copal__refusal(COPAL_NOT_FOUND, NULL);
    }
    return answer_unchanged(g);
}

copal__refusal_t copal__serve_get(copal_directory_t *directory, copal_call_t *call, const copal__trail_t *trail)
{
    copal__get_t g = {.directory = directory, .call = call, .trail = trail};
    /* O_NONBLOCK: a FIFO without a writer would keep us waiting. */
    g.fd = copal__open_beneath(directory->root, trail->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (g.fd < 0)
        return copal__refusal_of(errno);
    copal__refusal_t refusal = serve(&g);
    close(g.fd);
    return refusal;
}

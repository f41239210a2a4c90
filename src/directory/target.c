/* What a request is to change, and DELETE, which needs no more than that. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Whether it says that a path leads to nothing, as a symbolic link does that is not followed. */
static bool is_nothing(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EMLINK || error == EXDEV;
}

/* Looks as GET does, so that a peer changes what it can see. */
static copal__refusal_t look(int root, const char *path, bool *there, struct stat *state)
{
    int fd = copal__open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    int status = fd < 0 ? -1 : fstat(fd, state), error = errno;
    if (fd >= 0)
        close(fd);
    *there = status == 0;
    if (status != 0 && is_nothing(error))
        return COPAL__GRANTED;
    if (status != 0 ? error == ENXIO : !S_ISREG(state->st_mode) && !S_ISDIR(state->st_mode))
        return copal__refusal(COPAL_FORBIDDEN, "this is no regular file");
    if (status != 0)
        return copal__refusal_of(error);
    return S_ISDIR(state->st_mode) ? copal__refusal(COPAL_METHOD_NOT_ALLOWED, "this is a directory") : COPAL__GRANTED;
}

copal__refusal_t copal__target_look(const copal_directory_t *directory, const copal_call_t *call, const char *path,
                                    bool *there, struct stat *state)
{
    copal__refusal_t refusal = look(directory->root, path, there, state);
    if (refusal.code)
        return refusal;
    copal__tag_t tag;
    if (*there)
        tag = copal__tag_of(state);
    return copal__tag_permits(call, *there ? &tag : NULL) ? COPAL__GRANTED
                                                          : copal__refusal(COPAL_PRECONDITION_FAILED, NULL);
}

void copal__tell_change(const copal_directory_t *directory, const copal_directory_change_t *change)
{
    if (directory->options.changed)
        directory->options.changed(directory->options.user, change);
}

static copal__refusal_t delete(const copal_directory_t *directory, const copal_call_t *call, const copal__trail_t *trail)
{
    bool there;
    struct stat state;
    const char *name;
    copal__refusal_t refusal = copal__target_look(directory, call, trail->path, &there, &state);
    if (refusal.code || !there)
        return refusal;
    int parent = copal__trail_open_parent(trail, directory->root, &name);
    if (parent < 0)
        return copal__refusal_of(errno);
    refusal = unlinkat(parent, name, 0) == 0 ? COPAL__GRANTED : copal__refusal_of(errno);
    close(parent);
    return refusal;
}

copal__refusal_t copal__serve_delete(copal_directory_t *directory, copal_call_t *call, const copal__trail_t *trail)
{
    if (trail->slash || !trail->size)
        return copal__refusal(COPAL_METHOD_NOT_ALLOWED, "this is a directory");
    pthread_mutex_lock(&directory->changing);
    copal__refusal_t refusal = delete(directory, call, trail);
    pthread_mutex_unlock(&directory->changing);
    if (!refusal.code)
        copal_reply_text(call, COPAL_DELETED, NULL);
    copal__tell_change(directory, &(copal_directory_change_t){.peer = &call->from->peer,
                                                              .method = COPAL_DELETE,
                                                              .code = refusal.code ? refusal.code : COPAL_DELETED,
                                                              .path = trail->path});
    return refusal;
}

/* The directory as a resource with all that is below it. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

copal__refusal_t copal__refusal_of(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:  /* a symbolic link, */
    case EMLINK: /* as some systems say, */
    case EXDEV:  /* that leads outside */
    case ENXIO:  /* a socket */
        return copal__refusal(COPAL_NOT_FOUND, NULL);
    case EACCES:
    case EPERM:
        return copal__refusal(COPAL_FORBIDDEN, "server has no permission for this file");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return copal__refusal(COPAL_SERVICE_UNAVAILABLE, "server is out of descriptors or memory");
    case EROFS:
        return copal__refusal(COPAL_FORBIDDEN, "this can only be read");
    case ENOSPC:
    case EDQUOT:
        return copal__refusal(COPAL_SERVICE_UNAVAILABLE, "no space is left on the server's disk");
    case EFBIG:
        return copal__refusal(COPAL_REQUEST_ENTITY_TOO_LARGE, "too large for the server's disk");
    default:
        return copal__refusal(COPAL_INTERNAL_SERVER_ERROR, "input or output failed on the server");
    }
}

static void serve(void *user, copal_call_t *call)
{
    copal__trail_t trail;
    copal__refusal_t refusal = copal__trail_read(&trail, call);
    if (!refusal.code)
        refusal = call->request->code == COPAL_DELETE ? copal__serve_delete(user, call, &trail)
                                                      : copal__serve_get(user, call, &trail);
    if (refusal.code == COPAL_NOT_FOUND && call->options->if_matches)
        refusal = copal__refusal(COPAL_PRECONDITION_FAILED, NULL); /* there is no state that it could match */
    if (refusal.code)
        copal_reply_text(call, refusal.code, refusal.text);
}

/* 0; -1: errno. */
static int open_root(copal_directory_t *d, const char *name)
{
    d->root = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->root < 0 || !d->options.write)
        return d->root < 0 ? -1 : 0;
    int again = faccessat(d->root, ".", W_OK | X_OK, AT_EACCESS) == 0 ? openat(d->root, ".", O_RDONLY | O_CLOEXEC) : -1;
    if (again >= 0 && copal__litter_remove(again) == 0)
        return 0;
    int error = errno;
    close(d->root);
    errno = error;
    return -1;
}

int copal_directory_open(copal_directory_t **directory, const char *name, const copal_directory_options_t *options)
{
    if (options && options->upload_size > COPAL__BODY_MOST)
        return COPAL_EINVAL;
    copal_directory_t *d = malloc(sizeof *d);
    if (!d)
        return COPAL_ENOMEM;
    *d = (copal_directory_t){.options = options ? *options : (copal_directory_options_t){0}};
    if (!d->options.upload_size)
        d->options.upload_size = COPAL__BODY_MOST;
    int error = pthread_mutex_init(&d->changing, NULL);
    if (!error && open_root(d, name) != 0) {
        error = errno;
        pthread_mutex_destroy(&d->changing);
    }
    if (error) {
        free(d);
        errno = error;
        return COPAL_ESYSTEM;
    }
    *directory = d;
    return 0;
}

void copal_directory_close(copal_directory_t *directory)
{
    if (!directory)
        return;
    close(directory->root);
    pthread_mutex_destroy(&directory->changing);
    free(directory);
}

int copal_directory_add(copal_tree_t *tree, const char *path, copal_directory_t *directory, copal_handle_t *resource)
{
    const uint32_t read = COPAL_METHOD(COPAL_GET);
    const uint32_t write = COPAL_METHOD(COPAL_PUT) | COPAL_METHOD(COPAL_POST) | COPAL_METHOD(COPAL_DELETE);
    const copal_handler_t handler = {
        .methods = directory->options.write ? read | write : read,
        .intake = &copal__upload_intake,
        .subtree = true,
        .handle = serve,
        .user = directory,
    };
    copal_handle_t added;
    int status = copal_tree_add_handler(tree, path, &handler, &added);
    if (status != 0)
        return status;
    status = copal_tree_add_attribute(tree, added, copal_text("ct"), copal_text("40"));
    if (status != 0)
        copal_tree_remove(tree, added);
    else if (resource)
        *resource = added;
    return status;
}

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
    default:
        return copal__refusal(COPAL_INTERNAL_SERVER_ERROR, "file cannot be read");
    }
}

static void serve(void *user, copal_call_t *call)
{
    copal__trail_t trail;
    copal__refusal_t refusal = copal__trail_read(&trail, call);
    if (!refusal.code)
        refusal = copal__serve_get(user, call, &trail);
    if (refusal.code == COPAL_NOT_FOUND && call->options->if_matches)
        refusal = copal__refusal(COPAL_PRECONDITION_FAILED, NULL); /* there is no state that it could match */
    if (refusal.code)
        copal_reply_text(call, refusal.code, refusal.text);
}

int copal_directory_open(copal_directory_t **directory, const char *name)
{
    copal_directory_t *d = malloc(sizeof *d);
    if (!d)
        return COPAL_ENOMEM;
    d->root = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->root < 0) {
        int error = errno;
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
    free(directory);
}

int copal_directory_add(copal_tree_t *tree, const char *path, copal_directory_t *directory, copal_handle_t *resource)
{
    const copal_handler_t handler = {
        .methods = COPAL_METHOD(COPAL_GET),
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

/* Opening below a directory part by part, so that no symbolic link leads outside. */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* Closes `fd` and keeps errno. */
static void leave(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

int copal__open_walking(int root, const char *path, int flags)
{
    char part[NAME_MAX + 1];
    int at = root;
    for (const char *end; (end = strchr(path, '/')); path = end + 1) {
        size_t size = (size_t)(end - path);
        int next = -1;
        if (size < sizeof part) {
            memcpy(part, path, size);
            part[size] = 0;
            next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        } else {
            errno = ENAMETOOLONG;
        }
        if (at != root)
            leave(at);
        if (next < 0)
            return -1;
        at = next;
    }
    int fd = openat(at, *path ? path : ".", flags | O_NOFOLLOW | O_CLOEXEC);
    if (at != root)
        leave(at);
    return fd;
}

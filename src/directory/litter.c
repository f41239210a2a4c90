/* What uploads leave behind when their server is killed. */
#define _GNU_SOURCE 1
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* An upload that goes on, in another server, holds its file's lock. */
static void remove_stale(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return; /* it is no file of ours, or gone */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(parent, name, 0);
    close(fd);
}

static int visit(int parent, const char *name)
{
    struct stat state;
    if (strncmp(name, COPAL__LITTER, strlen(COPAL__LITTER)) == 0) {
        remove_stale(parent, name);
        return 0;
    }
    if (name[0] == '.' || fstatat(parent, name, &state, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(state.st_mode))
        return 0; /* nothing is written below a hidden directory */
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) /* one that cannot be read is passed by; out of descriptors it is an error */
        return errno == EMFILE || errno == ENFILE ? -1 : 0;
    return copal__litter_remove(fd);
}

int copal__litter_remove(int fd)
{
    DIR *open = fdopendir(fd);
    if (!open) {
        close(fd);
        return -1;
    }
    int status = 0;
    for (struct dirent *entry; status == 0 && (entry = readdir(open));)
        status = visit(dirfd(open), entry->d_name);
    int error = errno;
    closedir(open);
    errno = error;
    return status;
}

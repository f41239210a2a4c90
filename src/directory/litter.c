/* What uploads leave behind when their server is killed. */
#define _GNU_SOURCE 1
#include "directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* What cannot be opened is gone, not ours or not to be read, and is passed by; but for want of descriptors or memory. */
static int pass_by(void)
{
    return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -1 : 0;
}

/* An upload that goes on, in another server, holds its file's lock. */
static int remove_stale(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pass_by();
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(parent, name, 0);
    close(fd);
    return 0;
}

static int visit(int parent, const char *name)
{
    struct stat state;
    if (strncmp(name, COPAL__LITTER, strlen(COPAL__LITTER)) == 0)
        return remove_stale(parent, name);
    if (name[0] == '.' || fstatat(parent, name, &state, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(state.st_mode))
        return 0; /* nothing is written below a hidden directory */
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pass_by() : copal__litter_remove(fd);
}

int copal__litter_remove(int fd)
{
    DIR *open = fdopendir(fd);
    if (!open) {
        close(fd);
        return -1;
    }
    int status = 0;
    struct dirent *entry;
    while (status == 0 && (errno = 0, entry = readdir(open)))
        status = visit(dirfd(open), entry->d_name);
    int error = errno;
    closedir(open);
    errno = error;
    return error != 0 && !entry ? -1 : status;
}

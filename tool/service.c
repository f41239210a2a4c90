/* What a service manager and its service tell each other, as sd_listen_fds(3) and sd_notify(3) describe: a few lines, where
 * libsystemd would be another library for every run of the tool. */
#define _POSIX_C_SOURCE 200809L
#include "service.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 3 }; /* SD_LISTEN_FDS_START */

/** Of names separated by colons, whether the one at `index` is "coap". */
static bool is_plain(const char *names, unsigned index)
{
    for (; names && index > 0; index--) {
        names = strchr(names, ':');
        names += names != NULL;
    }
    return names && strncmp(names, "coap", 4) == 0 && (names[4] == ':' || names[4] == '\0');
}

size_t tool_service_sockets(tool_socket_t *sockets, size_t most)
{
    uint64_t pid, count;
    const char *whose = getenv("LISTEN_PID"), *how_many = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
    if (!whose || !how_many || !tool_parse_number(whose, 1, INT32_MAX, &pid) || pid != (uint64_t)getpid() ||
        !tool_parse_number(how_many, 1, most, &count))
        return 0;
    for (unsigned i = 0; i < count; i++)
        sockets[i] = (tool_socket_t){.fd = FIRST + (int)i, .plain = is_plain(names, i)};
    return (size_t)count;
}

void tool_service_tell(const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    const size_t size = path ? strlen(path) : 0;
    if (size < 2 || size >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, size);
    if (*path == '@')
        to.sun_path[0] = '\0'; /* one of Linux's that are in no file system */
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || sendto(fd, state, strlen(state), 0, (const struct sockaddr *)&to,
                         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
        tool_say("the service manager cannot be told: %s\n", strerror(errno));
    if (fd >= 0)
        close(fd);
}

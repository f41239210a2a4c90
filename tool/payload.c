/* The payload of a file, read where it lies when a block of it is sent. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCKS_MOST = 1 << 20 }; /* RFC 7959 section 2.2: block numbers have 20 bits */

static const char *name_of(const tool_request_t *request)
{
    return strcmp(request->file, "-") == 0 ? "standard input" : request->file;
}

/** As copal_read_t; `context` is the request. */
static int read_file(void *context, size_t offset, void *out, size_t size)
{
    tool_request_t *request = context;
    char *at = out;
    while (size > 0) {
        ssize_t got = pread(fileno(request->stream), at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            tool_say("%s: %s\n", name_of(request), got ? strerror(errno) : "became shorter while it was sent");
            request->unreadable = true;
            return COPAL_ESYSTEM;
        }
        at += got;
        offset += (size_t)got;
        size -= (size_t)got;
    }
    return 0;
}

/** Copies what cannot be read twice to a file that has no name. NULL: errno. */
static FILE *spool(FILE *from)
{
    char part[65536];
    FILE *to = tmpfile();
    size_t got;
    while (to && (got = fread(part, 1, sizeof part, from)) > 0)
        if (fwrite(part, 1, got, to) != got)
            break;
    if (to && !ferror(from) && !ferror(to) && fflush(to) == 0)
        return to;
    int error = errno;
    if (to)
        fclose(to);
    errno = error;
    return NULL;
}

static FILE *open_file(const char *name)
{
    bool standard_input = strcmp(name, "-") == 0;
    FILE *given = standard_input ? stdin : fopen(name, "rb");
    struct stat facts;
    if (!given)
        return NULL;
    if (fstat(fileno(given), &facts) == 0 && S_ISREG(facts.st_mode) && lseek(fileno(given), 0, SEEK_CUR) == 0)
        return given;
    FILE *spooled = spool(given);
    int error = errno;
    if (!standard_input)
        fclose(given);
    errno = error;
    return spooled;
}

int tool_open_payload(const tool_command_t *command, tool_request_t *request)
{
    const char *name = name_of(request);
    const size_t block = request->ask.block_size ? request->ask.block_size : 1024;
    struct stat facts;
    request->stream = open_file(request->file);
    if (!request->stream || fstat(fileno(request->stream), &facts) < 0) {
        tool_say("%s: %s\n", name, strerror(errno));
        return TOOL_USAGE;
    }
    if ((uintmax_t)facts.st_size > (uintmax_t)block * BLOCKS_MOST)
        return tool_usage_error(command, "%s has %ju octets; in blocks of %zu at most %ju can be sent", name,
                                (uintmax_t)facts.st_size, block, (uintmax_t)block * BLOCKS_MOST);
    request->ask.read = read_file;
    request->ask.context = request;
    request->ask.size = (size_t)facts.st_size;
    return 0;
}

/* A body as a file: it grows in FILE.part, which becomes FILE when it is whole and on the disk. FILE.part.etag says of which
 * state of which resource it is, so that it can be continued. FILE.part is locked, so that two runs do not mix in it. What
 * is no regular file, as standard output, is written to directly. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a signal has to say before it ends the program: set once, when the file begins. */
static char parting[1024];

static int complain(const char *name, int error)
{
    tool_say("%s: %s\n", name, strerror(error));
    return TOOL_REFUSED;
}

/** As a file to read that cannot be opened, one to write was named in vain; but one that another run has is there. */
static int cannot_open(const char *name, int error)
{
    if (error != EBUSY) {
        complain(name, error);
        return TOOL_USAGE;
    }
    tool_say("%s: another get writes it\n", name);
    return TOOL_REFUSED;
}

static void part_with(int number)
{
    ssize_t ignored = write(STDERR_FILENO, parting, strlen(parting));
    (void)ignored; /* there is nobody left to tell */
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, action = {.sa_handler = part_with};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
}

/* ---- where it goes ---------------------------------------------------------------------------------------- */

static char *joined(const char *name, const char *suffix)
{
    const size_t size = strlen(name), more = strlen(suffix) + 1;
    char *text = malloc(size + more);
    if (text) {
        memcpy(text, name, size);
        memcpy(text + size, suffix, more);
    }
    return text;
}

/** Opens FILE.part for this run alone. -1 with errno; EBUSY: another one has it. Where a file system has no locks nobody
 *  has. */
static int open_part(const tool_output_t *o, int flags)
{
    struct stat opened, named;
    for (;;) {
        int fd = open(o->part, O_RDWR | flags, 0666);
        if (fd < 0)
            return -1;
        bool taken = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
        bool known = fstat(fd, &opened) == 0 && stat(o->part, &named) == 0;
        if (!taken && known && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
            return fd;
        close(fd); /* of another run; or it was, and has become FILE by now */
        if (taken) {
            errno = EBUSY;
            return -1;
        }
    }
}

/** What FILE.part.etag says: the ETag in hexadecimal, a blank, the URI. False: nothing that fits this request. */
static bool read_tag(const tool_output_t *o, copal_transfer_t *t)
{
    char line[4096];
    copal_bytes_t etag;
    FILE *stream = fopen(o->tag, "r");
    bool read = stream && fgets(line, sizeof line, stream);
    if (stream)
        fclose(stream);
    if (!read)
        return false;
    line[strcspn(line, "\n")] = 0;
    char *uri = strchr(line, ' ');
    if (!uri || strcmp(uri + 1, o->uri) != 0)
        return false;
    *uri = 0;
    bool sound = strncmp(line, "0x", 2) == 0 && tool_parse_octets(line, t->etag, sizeof t->etag, &etag);
    t->etag_size = sound ? (uint8_t)etag.size : 0;
    return t->etag_size > 0;
}

/** Takes up what an earlier run has left. Where that is nothing of use the body begins anew. */
static int take_up(tool_output_t *o, copal_transfer_t *t, size_t block)
{
    struct stat facts;
    o->fd = open_part(o, 0);
    if (o->fd < 0 && errno == ENOENT) {
        tool_say("there is no %s to continue; from the start\n", o->part);
        return 0;
    }
    if (o->fd < 0)
        return cannot_open(o->part, errno);
    if (fstat(o->fd, &facts) < 0)
        return complain(o->part, errno);
    const size_t there = (size_t)facts.st_size / block * block;
    if (there == 0 || !read_tag(o, t)) {
        tool_say("%s does not say which state of %s it is of; from the start\n", o->part, o->uri);
        return 0;
    }
    if (ftruncate(o->fd, (off_t)there) < 0)
        return complain(o->part, errno);
    t->resume_at = there;
    o->resumes = true;
    return 0;
}

int tool_output_open(tool_output_t *o, const tool_request_t *request, copal_transfer_t *t)
{
    struct stat facts;
    *o = (tool_output_t){.name = request->output, .uri = request->ask.uri, .fd = -1};
    if (strcmp(o->name, "-") == 0) {
        o->name = "standard output";
        o->fd = STDOUT_FILENO;
        return 0;
    }
    bool there = stat(o->name, &facts) == 0;
    if (there && S_ISDIR(facts.st_mode))
        return cannot_open(o->name, EISDIR);
    if (there && !S_ISREG(facts.st_mode)) {
        o->fd = open(o->name, O_WRONLY);
        return o->fd < 0 ? cannot_open(o->name, errno) : 0;
    }
    o->part = joined(o->name, ".part");
    o->tag = joined(o->name, ".part.etag");
    if (!o->part || !o->tag)
        return complain(o->name, ENOMEM);
    return request->resume ? take_up(o, t, request->ask.block_size ? request->ask.block_size : 1024) : 0;
}

/* ---- what comes --------------------------------------------------------------------------------------------- */

/** Says beside the file what it is of, or removes what is said there. */
static int write_tag(const tool_output_t *o, const copal_transfer_t *t)
{
    if (t->etag_size == 0)
        return unlink(o->tag) == 0 || errno == ENOENT ? 0 : -1;
    FILE *stream = fopen(o->tag, "w");
    if (!stream)
        return -1;
    tool_print_hex(stream, (copal_bytes_t){t->etag, t->etag_size});
    fprintf(stream, " %s\n", o->uri);
    bool failed = ferror(stream);
    return fclose(stream) == 0 && !failed ? 0 : -1;
}

static void prepare_parting(const tool_output_t *o, bool tagged)
{
    snprintf(parting, sizeof parting,
             tagged ? "\ncopal: %s keeps what came; the same command with --continue goes on from there\n"
                    : "\ncopal: %s keeps what came; without an ETag in the answers it cannot be continued\n",
             o->part);
}

/** The body begins, or begins anew. */
static int begin(tool_output_t *o, const copal_transfer_t *t)
{
    if (!o->part)
        return o->begun ? COPAL_EFORMAT : 0; /* what went out there cannot be taken back */
    if (o->resumes)
        tool_say("%s is of another state than the resource has now; from the start\n", o->part);
    if (o->fd < 0)
        o->fd = open_part(o, O_CREAT);
    if (o->fd < 0)
        o->failed = cannot_open(o->part, errno);
    else if (ftruncate(o->fd, 0) < 0)
        o->failed = complain(o->part, errno);
    else if (write_tag(o, t) < 0)
        o->failed = complain(o->tag, errno);
    return o->failed ? COPAL_ESYSTEM : 0;
}

int tool_output_write(tool_output_t *o, const copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    int status = offset == 0 ? begin(o, t) : 0;
    if (status < 0)
        return status;
    if (o->part && (offset == 0 || o->resumes)) {
        prepare_parting(o, t->etag_size > 0);
        catch_signals();
        o->resumes = false;
    }
    o->begun = true;
    while (piece.size > 0) {
        ssize_t put = o->part ? pwrite(o->fd, piece.data, piece.size, (off_t)offset)
                              : write(o->fd, piece.data, piece.size);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            o->failed = complain(o->part ? o->part : o->name, errno);
            return COPAL_ESYSTEM;
        }
        offset += (size_t)put;
        piece.data += put;
        piece.size -= (size_t)put;
    }
    return 0;
}

/* ---- the end -------------------------------------------------------------------------------------------------- */

/** Gives FILE.part its name, once it is on the disk: after a power cut that is the old file or the new one. What is beside
 *  it goes first, while the lock keeps the next run from having one there. */
static int publish(const tool_output_t *o)
{
    if (fsync(o->fd) < 0)
        return complain(o->part, errno);
    if (unlink(o->tag) < 0 && errno != ENOENT)
        return complain(o->tag, errno);
    return rename(o->part, o->name) < 0 ? complain(o->name, errno) : TOOL_OK;
}

int tool_output_close(tool_output_t *o, bool whole)
{
    int status = TOOL_OK;
    if (o->part && o->begun && whole)
        status = publish(o);
    else if (o->part && o->begun)
        fputs(parting + 1, stderr);
    if (o->fd > STDERR_FILENO && close(o->fd) < 0 && o->begun && status == TOOL_OK)
        status = complain(o->name, errno);
    free(o->part);
    free(o->tag);
    o->part = o->tag = NULL;
    return status;
}

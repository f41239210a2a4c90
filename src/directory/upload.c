/* PUT and POST: the body goes to a hidden file, which takes the name it is meant for when it is whole. */
#define _GNU_SOURCE 1
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
    TRIES = 1000,   /* at a name that is not taken */
    NAME_SIZE = 64, /* of names that are ours to choose */
};

/* So much goes to the disk at a time, so that the last of it does not keep other peers waiting for all. */
#define PORTION ((uint64_t)4 << 20)

typedef struct {
    copal_directory_t *directory;
    copal__trail_t trail;
    copal__refusal_t refusal; /* why it cannot go on */
    copal_peer_t peer;
    copal_code_t method;
    int parent, fd;          /* the directory it goes to, and the hidden file; -1: not open */
    const char *name;        /* which it shall have, in `trail` or `fresh` */
    char hidden[NAME_SIZE]; /* which it has; "" once that is not so */
    char fresh[NAME_SIZE];
    uint64_t size, most;
} upload_t;

/* ---- beginning ----------------------------------------------------------------------------------------- */

/* POST is about the directory that gets the file, PUT about the file. */
static copal__refusal_t look(upload_t *u, const copal_call_t *call, bool *there, struct stat *state)
{
    if (u->method == COPAL_PUT)
        return copal__target_look(u->directory, call, u->trail.path, there, state);
    *there = false;
    if (fstat(u->parent, state) != 0)
        return copal__refusal_of(errno);
    copal__tag_t tag = copal__tag_of(state);
    return copal__tag_permits(call, &tag) ? COPAL__GRANTED : copal__refusal(COPAL_PRECONDITION_FAILED, NULL);
}

static copal__refusal_t open_parent(upload_t *u)
{
    const copal__trail_t *trail = &u->trail;
    int root = u->directory->root;
    bool is_directory = trail->slash || !trail->size;
    if (u->method == COPAL_PUT && is_directory)
        return copal__refusal(COPAL_METHOD_NOT_ALLOWED, "this is a directory");
    u->parent = u->method == COPAL_PUT ? copal__trail_open_parent(trail, root, &u->name)
                                       : copal__open_beneath(root, trail->path, O_RDONLY | O_DIRECTORY);
    if (u->parent >= 0)
        return COPAL__GRANTED;
    if (u->method == COPAL_POST && errno == ENOTDIR)
        return copal__refusal(COPAL_METHOD_NOT_ALLOWED, "POST is for directories; PUT replaces a file");
    copal__refusal_t refusal = copal__refusal_of(errno);
    return refusal.code == COPAL_NOT_FOUND ? copal__refusal(COPAL_NOT_FOUND, "there is no such directory") : refusal;
}

/* Its lock tells other servers that it is no litter. Where a file system has no locks they may take it for that, and then
 * the upload fails at its end. */
static copal__refusal_t open_hidden(upload_t *u)
{
    for (int i = 0; u->fd < 0 && i < TRIES; i++) {
        snprintf(u->hidden, sizeof u->hidden, COPAL__LITTER "%lu-%u", (unsigned long)getpid(),
                 atomic_fetch_add(&u->directory->uploads, 1));
        u->fd = openat(u->parent, u->hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (u->fd < 0 && errno != EEXIST)
            break;
    }
    if (u->fd < 0) {
        u->hidden[0] = 0;
        return copal__refusal_of(errno);
    }
    (void)flock(u->fd, LOCK_EX | LOCK_NB);
    return COPAL__GRANTED;
}

static copal__refusal_t prepare(upload_t *u, const copal_call_t *call, int64_t size)
{
    bool there;
    struct stat state;
    if (size > 0 && (uint64_t)size > u->most)
        return copal__refusal(COPAL_REQUEST_ENTITY_TOO_LARGE, NULL);
    copal__refusal_t refusal = copal__trail_read(&u->trail, call);
    if (!refusal.code)
        refusal = open_parent(u);
    if (!refusal.code)
        refusal = look(u, call, &there, &state);
    if (!refusal.code)
        refusal = open_hidden(u);
    if (!refusal.code && there && fchmod(u->fd, state.st_mode & 0777) != 0)
        refusal = copal__refusal_of(errno);
    return refusal;
}

/* What is wrong from the start is told by `take` or `end`, which can say it in words. */
static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    upload_t *u = malloc(sizeof *u);
    if (!u)
        return COPAL_SERVICE_UNAVAILABLE;
    *u = (upload_t){.directory = user, .parent = -1, .fd = -1, .peer = call->from->peer, .method = call->request->code};
    u->most = u->directory->options.upload_size;
    u->refusal = prepare(u, call, size);
    *most = (size_t)u->most;
    *body = u;
    return 0;
}

/* ---- going on -------------------------------------------------------------------------------------------- */

static copal_code_t take(void *body, copal_bytes_t piece)
{
    upload_t *u = body;
    if (!u->refusal.code && piece.size > u->most - u->size)
        u->refusal = copal__refusal(COPAL_REQUEST_ENTITY_TOO_LARGE, NULL);
    uint64_t portions = u->size / PORTION;
    while (!u->refusal.code && piece.size) {
        ssize_t written = write(u->fd, piece.data, piece.size);
        if (written < 0 && errno != EINTR)
            u->refusal = copal__refusal_of(errno);
        if (written < 0)
            continue;
        u->size += (uint64_t)written;
        piece.data += written;
        piece.size -= (size_t)written;
    }
    if (!u->refusal.code && u->size / PORTION > portions && fdatasync(u->fd) != 0)
        u->refusal = copal__refusal_of(errno);
    return u->refusal.code;
}

/* ---- ending ---------------------------------------------------------------------------------------------- */

static void release(upload_t *u, copal_code_t code)
{
    copal__tell_change(u->directory, &(copal_directory_change_t){&u->peer, u->method, code, u->trail.path, u->size});
    if (*u->hidden)
        unlinkat(u->parent, u->hidden, 0);
    if (u->fd >= 0)
        close(u->fd);
    if (u->parent >= 0)
        close(u->parent);
    free(u);
}

static void drop(void *body)
{
    upload_t *u = body;
    release(u, u->refusal.code ? u->refusal.code : COPAL_REQUEST_ENTITY_INCOMPLETE);
}

/* The time, and a number where that is taken. */
static copal__refusal_t choose_name(upload_t *u, int32_t format)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    struct stat state;
    const char *suffix = copal__suffix_of(format), *dot = *suffix ? "." : "";
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &parts));
    u->name = u->fresh;
    for (int i = 1; i <= TRIES; i++) {
        char number[16] = "";
        if (i > 1)
            snprintf(number, sizeof number, "-%d", i);
        snprintf(u->fresh, sizeof u->fresh, "%s%s%s%s", when, number, dot, suffix);
        if (fstatat(u->parent, u->fresh, &state, AT_SYMLINK_NOFOLLOW) != 0)
            return errno == ENOENT ? COPAL__GRANTED : copal__refusal_of(errno);
    }
    return copal__refusal(COPAL_SERVICE_UNAVAILABLE, "too many files in a second");
}

/* Gives the file its name. Nobody else changes what is there meanwhile, but for programs that know nothing of us. */
static copal__refusal_t publish(upload_t *u, const copal_call_t *call, bool *there)
{
    struct stat state;
    copal__refusal_t refusal = look(u, call, there, &state);
    if (!refusal.code && u->method == COPAL_POST)
        refusal = choose_name(u, call->options->content_format);
    if (refusal.code)
        return refusal;
    if (renameat(u->parent, u->hidden, u->parent, u->name) != 0)
        return copal__refusal_of(errno);
    u->hidden[0] = 0;
    return COPAL__GRANTED;
}

/* The file is on the disk before it has its name, so that after a power cut it is the old one or the new one. */
static copal__refusal_t finish(upload_t *u, const copal_call_t *call, bool *there)
{
    if (u->refusal.code)
        return u->refusal;
    if (fsync(u->fd) != 0)
        return copal__refusal_of(errno);
    pthread_mutex_lock(&u->directory->changing);
    copal__refusal_t refusal = publish(u, call, there);
    pthread_mutex_unlock(&u->directory->changing);
    if (!refusal.code)
        (void)fsync(u->parent); /* the name as well, where the file system can do that */
    return refusal;
}

static void write_location(copal_writer_t *w, const copal_call_t *call, const char *name)
{
    const copal_message_t path = {.options = call->options->path};
    copal_option_reader_t reader = copal_message_options(&path);
    copal_option_t segment;
    for (uint32_t depth = 0; copal_option_next(&reader, &segment); depth++)
        if (depth < call->depth || segment.value.size) /* not the "/" behind a directory */
            copal_write_option(w, COPAL_OPTION_LOCATION_PATH, segment.value);
    copal_write_option(w, COPAL_OPTION_LOCATION_PATH, copal_text(name));
}

static void end(void *body, copal_call_t *call)
{
    upload_t *u = body;
    bool there = false;
    struct stat state;
    copal__refusal_t refusal = finish(u, call, &there);
    copal_code_t code = refusal.code ? refusal.code : there ? COPAL_CHANGED : COPAL_CREATED;
    if (refusal.code) {
        copal_reply_text(call, code, refusal.text);
    } else if (fstat(u->fd, &state) == 0) {
        copal__tag_t tag = copal__tag_of(&state);
        copal_writer_t *w = copal__tag_reply(call, code, &tag);
        if (u->method == COPAL_POST)
            write_location(w, call, u->name);
    }
    release(u, code);
}

static const char *reason(void *body)
{
    return ((const upload_t *)body)->refusal.text;
}

const copal_intake_t copal__upload_intake = {.begin = begin, .take = take, .end = end, .drop = drop, .reason = reason};

/* What the files of this room share. */
#ifndef COPAL_DIRECTORY_DIRECTORY_H
#define COPAL_DIRECTORY_DIRECTORY_H

#include "copal/directory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

/** The most octets of a body: 2^20 blocks of 1,024 (RFC 7959 section 2.2). */
#define COPAL__BODY_MOST ((uint64_t)1 << 30)

struct copal_directory_t {
    int root; /* its descriptor */
    copal_directory_options_t options; /* without defaults */
    atomic_uint uploads;      /* how many there have been */
    pthread_mutex_t changing; /* held from a look at what is there to its change */
};

/** Why a request is not done; `code` 0: it is. `text` is static, or NULL. */
typedef struct {
    copal_code_t code;
    const char *text;
} copal__refusal_t;

#define COPAL__GRANTED ((copal__refusal_t){0, NULL})

static inline copal__refusal_t copal__refusal(copal_code_t code, const char *text)
{
    return (copal__refusal_t){code, text};
}

/** What a failed system call means to the peer. */
copal__refusal_t copal__refusal_of(int error);

/* ---- beneath.c of the platform, walk.c ---------------------------------------------------------------- */

/** Opens what `path` names below the directory `root`, and nothing outside of it; "" is `root` itself. `flags` as for
 *  open(2), without O_CREAT. A descriptor that is closed on exec; -1: errno. */
int copal__open_beneath(int root, const char *path, int flags);

/** The same by one openat(2) for each part, which follows no symbolic link. */
int copal__open_walking(int root, const char *path, int flags);

/* ---- trail.c ------------------------------------------------------------------------------------------ */

enum { COPAL__TRAIL_SIZE = 4096 };

/** What a request names below the directory. */
typedef struct {
    char path[COPAL__TRAIL_SIZE]; /* "a/b.txt"; "" is the directory itself */
    size_t size;                  /* without its NUL */
    bool slash;                   /* there was a "/" behind it: only a directory can be meant */
} copal__trail_t;

/** Reads the request's path, from the resource's own on. */
copal__refusal_t copal__trail_read(copal__trail_t *trail, const copal_call_t *call);

/** Opens the directory that its last name stands in, and finds that name. -1: errno. */
int copal__trail_open_parent(const copal__trail_t *trail, int root, const char **name);

/* ---- tag.c --------------------------------------------------------------------------------------------- */

/** What tells one state of a file from another: its ETag. */
typedef struct {
    uint8_t octets[8];
} copal__tag_t;

copal__tag_t copal__tag_of(const struct stat *state);
bool copal__tag_equal(const copal__tag_t *a, const copal__tag_t *b);
/** Whether the request names this state by an ETag option. */
bool copal__tag_is_known(const copal_message_t *request, const copal__tag_t *tag);
/** Whether If-Match and If-None-Match let the request be done (RFC 7252 section 5.10.8). NULL: there is no such file. */
bool copal__tag_permits(const copal_call_t *call, const copal__tag_t *tag);
/** Starts an answer with the ETag. */
copal_writer_t *copal__tag_reply(copal_call_t *call, copal_code_t code, const copal__tag_t *tag);

/* ---- get.c, file.c, list.c, suffix.c ------------------------------------------------------------------- */

/** A GET that is being answered. */
typedef struct copal__get_t {
    copal_directory_t *directory;
    copal_call_t *call;
    const copal__trail_t *trail;
    int fd; /* what the trail names */
    struct stat state;
    uint16_t format;
    /** Writes the body. */
    copal__refusal_t (*write)(struct copal__get_t *g, copal_writer_t *w);
} copal__get_t;

enum { COPAL__LINK_FORMAT = 40 };

copal__refusal_t copal__serve_get(copal_directory_t *directory, copal_call_t *call, const copal__trail_t *trail);
copal__refusal_t copal__write_file(copal__get_t *g, copal_writer_t *w);
copal__refusal_t copal__write_list(copal__get_t *g, copal_writer_t *w);

/** The Content-Format that a file's name stands for. */
uint16_t copal__suffix_format(const char *name);
/** A suffix that stands for a Content-Format; "" where there is none. */
const char *copal__suffix_of(int32_t format);

/* ---- target.c, upload.c, litter.c ------------------------------------------------------------------------ */

/** Whether what is there, if anything, is a file and the request's preconditions hold; `state` tells of it if so. */
copal__refusal_t copal__target_look(const copal_directory_t *directory, const copal_call_t *call, const char *path,
                                    bool *there, struct stat *state);
/** Tells the application. */
void copal__tell_change(const copal_directory_t *directory, const copal_directory_change_t *change);
/** Answers a DELETE of what `trail` names. */
copal__refusal_t copal__serve_delete(copal_directory_t *directory, copal_call_t *call, const copal__trail_t *trail);

/** Takes the bodies of PUT and POST; its user is the directory. */
extern const copal_intake_t copal__upload_intake;

/** How the names of unfinished uploads begin. */
#define COPAL__LITTER ".copal-upload-"
/** Removes unfinished uploads that nobody goes on with, from a directory that is open as `fd`, which is closed, and from
 *  those below it. 0; -1: errno. */
int copal__litter_remove(int fd);

#endif

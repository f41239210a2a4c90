/* A directory of files as resources of a tree, on POSIX systems: read and written block by block in constant memory. */
#ifndef COPAL_DIRECTORY_H
#define COPAL_DIRECTORY_H

#include "copal/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A directory that is served. May be used by several trees and workers at once. */
typedef struct copal_directory_t copal_directory_t;

/** What came of a request to change something. Everything is borrowed for the time of the call. */
typedef struct {
    const copal_peer_t *peer;
    copal_code_t method;
    copal_code_t code; /* of the answer; 4.08: the rest of the upload never came */
    const char *path;  /* below the directory: octets as the peer sent them */
    uint64_t size;     /* octets of the upload that came */
} copal_directory_change_t;

/** All zero is for reading only. */
typedef struct {
    bool write;           /* peers may create, replace and delete files. Where these have a limit of size (RLIMIT_FSIZE), a
                           * program ignores SIGXFSZ, so that it is not ended by who sends more */
    uint64_t upload_size; /* octets of the largest upload (2^30, which is also the most that blocks can carry) */
    /** Called after each such request, and after an upload that was broken off, maybe inside the tree's exclusion. NULL:
     *  nobody cares. */
    void (*changed)(void *user, const copal_directory_change_t *change);
    void *user;
} copal_directory_options_t;

/** Opens the directory `name`; what it is renamed to later does not matter. `options` NULL is all zero. With `write`, what
 *  earlier servers left of uploads that were cut off is removed below it. Free it with copal_directory_close.
 *  COPAL_ESYSTEM: errno (ENOENT, ENOTDIR, EACCES, with `write` EROFS, or EMFILE: it is deeper than there are descriptors).
 *  COPAL_ENOMEM. COPAL_EINVAL: upload_size. */
int copal_directory_open(copal_directory_t **directory, const char *name, const copal_directory_options_t *options);

/** Frees it; whatever serves it must have ended, so close the host first. NULL is allowed. */
void copal_directory_close(copal_directory_t *directory);

/** Serves it in `tree` at `path`, with all that is below it, where no other resource is; "" serves it at the root.
 *
 *  GET answers a regular file with its content, an ETag that changes with it, and the Content-Format that its suffix stands
 *  for, or 42 (octet-stream). Each block is read when it is asked for, so a body whose file changes meanwhile shows by its
 *  ETag (RFC 7959 section 2.4). A file over 2^20 blocks of 1,024 octets is answered 5.00, one over 2^20 of the blocks that
 *  were asked for 4.00. A directory, with or without "/" behind it, is answered with its entries in link-format (RFC 6690),
 *  sorted by name; 5.00 where their names come to more than 1 MiB. ETag and Accept are heeded.
 *
 *  With `write`, PUT creates a file (2.01) or replaces one (2.04): whole or not at all, since the body goes to a hidden
 *  file beside it, which takes its name at the end. Permissions stay. What a suffix stands for does not depend on the
 *  Content-Format of a PUT. POST to a directory creates a file with a fresh name (2.01 with Location-Path) and a suffix that
 *  stands for the Content-Format. Directories are not made (4.04). DELETE removes a file (2.02, also where there is none).
 *  4.13 with Size1: over upload_size. 5.03: no space is left. Without `write` these methods are 4.05; so are those on a
 *  directory, but for POST.
 *
 *  If-Match and If-None-Match are heeded (RFC 7252 section 5.10.8), by an upload when it begins and when it ends.
 *
 *  4.04 is the answer for what is neither file nor directory, for names that start with "." or are longer than the file
 *  system has them, and for whatever lies outside: on Linux symbolic links are followed as long as they stay inside,
 *  elsewhere not at all; a PUT or DELETE is about the link itself.
 *  4.03: no permission. 5.03: out of descriptors or memory, or the file changes too quickly to be read.
 *
 *  Errors are those of copal_tree_add_handler; `resource` may be NULL. */
int copal_directory_add(copal_tree_t *tree, const char *path, copal_directory_t *directory, copal_handle_t *resource);

#ifdef __cplusplus
}
#endif
#endif

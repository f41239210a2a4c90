/* A directory of files as resources of a tree, on POSIX systems: read block by block in constant memory. */
#ifndef COPAL_DIRECTORY_H
#define COPAL_DIRECTORY_H

#include "copal/tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A directory that is served. May be used by several trees and workers at once. */
typedef struct copal_directory_t copal_directory_t;

/** Opens the directory `name`; what it is renamed to later does not matter. Free it with copal_directory_close.
 *  COPAL_ESYSTEM: errno (ENOENT, ENOTDIR, EACCES). COPAL_ENOMEM. */
int copal_directory_open(copal_directory_t **directory, const char *name);

/** Frees it; whatever serves it must have ended, so close the host first. NULL is allowed. */
void copal_directory_close(copal_directory_t *directory);

/** Serves it in `tree` at `path`, with all that is below it, where no other resource is; "" serves it at the root.
 *
 *  GET answers a regular file with its content, an ETag that changes with it, and the Content-Format that its suffix stands
 *  for, or 42 (octet-stream). Each block is read when it is asked for, so a body whose file changes meanwhile shows by its
 *  ETag (RFC 7959 section 2.4). A file over 2^20 blocks is answered 5.00; 4.00 where larger blocks could carry it.
 *  GET answers a directory, with or without "/" behind it, with its entries in link-format (RFC 6690), sorted by name; 5.00
 *  where their names come to more than 1 MiB.
 *  If-Match, If-None-Match, ETag and Accept are heeded (RFC 7252 section 5.10). Other methods: 4.05.
 *
 *  4.04 is the answer for what is neither, for names that start with "." or are longer than the file system has them, and for
 *  whatever lies outside: on Linux symbolic links are followed as long as they stay inside, elsewhere not at all.
 *  4.03: no permission. 5.03: out of descriptors or memory, or the file changes too quickly to be read.
 *
 *  Errors are those of copal_tree_add_handler; `resource` may be NULL. */
int copal_directory_add(copal_tree_t *tree, const char *path, copal_directory_t *directory, copal_handle_t *resource);

#ifdef __cplusplus
}
#endif
#endif

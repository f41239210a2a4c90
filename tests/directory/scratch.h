/* A directory of the test's own, below TMPDIR, and a tree that serves it. */
#ifndef COPAL_TESTS_DIRECTORY_SCRATCH_H
#define COPAL_TESTS_DIRECTORY_SCRATCH_H

#include "copal/directory.h"
#include "resource/call.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The working directory is `around`, which holds `served` and what must not be seen. */
static char around[4096];
static copal_directory_t *directory;
static copal_tree_t *tree;
static ask_t ask;

static inline void put_octets(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline void put(const char *name, const char *text)
{
    put_octets(name, text, strlen(text));
}

static inline int remove_entry(const char *path, const struct stat *state, int kind, struct FTW *at)
{
    (void)state, (void)kind, (void)at;
    return remove(path);
}

/* Serves the directory `name` at `path`. */
static inline void serve_with(const char *name, const char *path, const copal_directory_options_t *options)
{
    assert_int_equal(copal_directory_open(&directory, name, options), 0);
    tree = new_tree((copal_tree_config_t){0});
    assert_int_equal(copal_directory_add(tree, path, directory, NULL), 0);
}

static inline void serve_at(const char *path)
{
    serve_with("served", path, NULL);
}

static inline void serve_end(void)
{
    copal_tree_close(tree);
    free(tree);
    copal_directory_close(directory);
    tree = NULL;
    directory = NULL;
}

static inline int scratch_open(void **state)
{
    (void)state;
    const char *place = getenv("TMPDIR");
    snprintf(around, sizeof around, "%s/copal-test-XXXXXX", place ? place : "/tmp");
    if (!mkdtemp(around) || chdir(around) || mkdir("served", 0777))
        return -1;
    put("outside.txt", "secret");
    serve_at("");
    return 0;
}

static inline int scratch_close(void **state)
{
    (void)state;
    serve_end();
    return chdir("/") || nftw(around, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline copal_code_t get(const char *path)
{
    return simple(&ask, tree, COPAL_GET, path);
}

/* The answer's ETag; there is one, of eight octets. */
static inline uint64_t etag_of_answer(void)
{
    copal_option_t option;
    uint64_t tag;
    assert_true(copal_option_find(&ask.answer, COPAL_OPTION_ETAG, &option));
    assert_int_equal(option.value.size, sizeof tag);
    memcpy(&tag, option.value.data, sizeof tag);
    return tag;
}

/* A request for one segment that is taken as it is. */
static inline copal_code_t get_segment(const void *octets, size_t size)
{
    begin(&ask, COPAL_GET, "");
    copal_write_option(&ask.in, COPAL_OPTION_URI_PATH, bytes(octets, size));
    return finish(&ask, tree);
}

static inline copal_code_t get_block(const char *path, uint32_t number, uint8_t szx)
{
    begin(&ask, COPAL_GET, path);
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK2, copal_block_encode(&(copal_block_t){number, false, szx}));
    return finish(&ask, tree);
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)

#endif

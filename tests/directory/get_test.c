/* Files by GET: content, ETags, preconditions, blocks, and files that change meanwhile. */
#define _GNU_SOURCE 1
#include "directory/scratch.h"

#include <sys/uio.h>

/* The library's pread is this one, so that a test can change a file between two system calls, or let the disk fail. */
static void (*meanwhile)(void);
static bool disk_fails;

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    if (meanwhile)
        meanwhile();
    if (disk_fails) {
        errno = EIO;
        return -1;
    }
    return preadv(fd, &(struct iovec){out, size}, 1, offset);
}

static void a_file_is_answered_with_its_content_and_format(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777), 0);
    put("served/a/b c.json", "{}");
    put("served/empty", "");
    assert_int_equal(get("a/b%20c.json"), COPAL_CONTENT);
    assert_payload(&ask, "{}");
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 50);
    assert_int_equal(get("empty"), COPAL_CONTENT);
    assert_payload(&ask, "");
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 42);
    assert_int_equal(get("missing"), COPAL_NOT_FOUND);
}

static void it_is_served_below_the_path_that_was_given_and_nowhere_else(void **state)
{
    (void)state;
    put("served/a", "hello");
    serve_end();
    serve_at("files/of mine");
    assert_int_equal(get("files/of%20mine/a"), COPAL_CONTENT);
    assert_payload(&ask, "hello");
    assert_int_equal(get("a"), COPAL_NOT_FOUND);
    assert_int_equal(get("files/a"), COPAL_NOT_FOUND);
    assert_int_equal(get("files"), COPAL_NOT_FOUND);
    assert_int_equal(get(".well-known/core"), COPAL_CONTENT);
    assert_payload(&ask, "</files/of%20mine>;ct=40");
}

static void other_resources_go_first(void **state)
{
    (void)state;
    put("served/a", "file");
    add_value(tree, "a", "value");
    assert_int_equal(get("a"), COPAL_CONTENT);
    assert_payload(&ask, "value");
}

static void other_methods_are_not_allowed(void **state)
{
    (void)state;
    put("served/a", "hello");
    static const copal_code_t methods[] = {COPAL_PUT, COPAL_POST, COPAL_DELETE, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH};
    for (size_t i = 0; i < sizeof methods; i++) {
        assert_int_equal(with_payload(&ask, tree, methods[i], "a", "x"), COPAL_METHOD_NOT_ALLOWED);
        assert_int_equal(with_payload(&ask, tree, methods[i], "b", "x"), COPAL_METHOD_NOT_ALLOWED);
    }
    assert_int_equal(get("a"), COPAL_CONTENT);
    assert_payload(&ask, "hello");
}

static void a_file_without_permission_is_forbidden(void **state)
{
    (void)state;
    put("served/a", "hello");
    assert_int_equal(chmod("served/a", 0), 0);
    bool readable = access("served/a", R_OK) == 0; /* root may read it anyway */
    assert_int_equal(get("a"), readable ? COPAL_CONTENT : COPAL_FORBIDDEN);
}

/* ---- ETag, Accept, preconditions ------------------------------------------------------------------------- */

static copal_code_t get_with(uint16_t number, const void *value, size_t size)
{
    begin(&ask, COPAL_GET, "a.txt");
    copal_write_option(&ask.in, number, bytes(value, size));
    return finish(&ask, tree);
}

static void the_etag_is_another_after_each_change(void **state)
{
    (void)state;
    uint64_t tags[5];
    put("served/a.txt", "one");
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    tags[0] = etag_of_answer();
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    assert_true(etag_of_answer() == tags[0]);
    put("served/a.txt", "longer"); /* in place */
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    tags[1] = etag_of_answer();
    put("served/new", "LONGER"); /* of the same size, and maybe in the same tick of the clock */
    assert_int_equal(rename("served/new", "served/a.txt"), 0);
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    tags[2] = etag_of_answer();
    static const struct timespec later[] = {{2000000000, 0}, {2000000000, 0}}, much[] = {{2000000000, 0}, {2000000000, 1}};
    assert_int_equal(utimensat(AT_FDCWD, "served/a.txt", later, 0), 0);
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    tags[3] = etag_of_answer();
    assert_int_equal(utimensat(AT_FDCWD, "served/a.txt", much, 0), 0);
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    tags[4] = etag_of_answer();
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(tags[i] != tags[j]);
}

static void rfc7252_5_10_6_2_a_current_etag_is_answered_with_2_03(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    uint64_t tag = etag_of_answer(), other = tag ^ 1;
    assert_int_equal(get_with(COPAL_OPTION_ETAG, &tag, 8), COPAL_VALID);
    assert_payload(&ask, "");
    assert_true(etag_of_answer() == tag);
    assert_int_equal(get_with(COPAL_OPTION_ETAG, &other, 8), COPAL_CONTENT);
    assert_int_equal(get_with(COPAL_OPTION_ETAG, &tag, 7), COPAL_CONTENT);
    begin(&ask, COPAL_GET, "a.txt");
    copal_write_option(&ask.in, COPAL_OPTION_ETAG, bytes(&other, 8));
    copal_write_option(&ask.in, COPAL_OPTION_ETAG, bytes(&tag, 8));
    assert_int_equal(finish(&ask, tree), COPAL_VALID);
}

static void rfc7252_5_10_4_another_format_is_not_acceptable(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    assert_int_equal(get_with(COPAL_OPTION_ACCEPT, "", 0), COPAL_CONTENT);
    assert_int_equal(get_with(COPAL_OPTION_ACCEPT, "\x32", 1), COPAL_NOT_ACCEPTABLE);
}

static void rfc7252_5_10_8_preconditions_are_heeded(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    uint64_t tag = etag_of_answer(), other = tag ^ 1;
    assert_int_equal(get_with(COPAL_OPTION_IF_MATCH, &tag, 8), COPAL_CONTENT);
    assert_int_equal(get_with(COPAL_OPTION_IF_MATCH, "", 0), COPAL_CONTENT);
    assert_int_equal(get_with(COPAL_OPTION_IF_MATCH, &other, 8), COPAL_PRECONDITION_FAILED);
    assert_int_equal(get_with(COPAL_OPTION_IF_NONE_MATCH, "", 0), COPAL_PRECONDITION_FAILED);
    assert_int_equal(unlink("served/a.txt"), 0);
    assert_int_equal(get_with(COPAL_OPTION_IF_MATCH, "", 0), COPAL_PRECONDITION_FAILED);
    assert_int_equal(get_with(COPAL_OPTION_IF_NONE_MATCH, "", 0), COPAL_NOT_FOUND);
}

/* ---- blocks ------------------------------------------------------------------------------------------------ */

static void put_counted(const char *name, size_t size)
{
    uint8_t *octets = malloc(size);
    for (size_t i = 0; i < size; i++)
        octets[i] = (uint8_t)(i * 7 + i / 256);
    put_octets(name, octets, size);
    free(octets);
}

static void rfc7959_2_4_any_block_is_read_alone(void **state)
{
    (void)state;
    put_counted("served/a", 5000);
    static const struct {
        uint32_t number;
        uint8_t szx;
        size_t size;
        bool more;
    } blocks[] = {{0, 6, 1024, true}, {4, 6, 904, false}, {2, 6, 1024, true}, {312, 0, 8, false}, {311, 0, 16, true}};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        assert_int_equal(get_block("a", blocks[i].number, blocks[i].szx), COPAL_CONTENT);
        size_t offset = (size_t)blocks[i].number << (blocks[i].szx + 4);
        assert_int_equal(ask.answer.payload.size, blocks[i].size);
        for (size_t j = 0; j < blocks[i].size; j++)
            assert_int_equal(ask.answer.payload.data[j], (uint8_t)((offset + j) * 7 + (offset + j) / 256));
        const copal_block_t block = {blocks[i].number, blocks[i].more, blocks[i].szx};
        assert_int_equal(option_of(&ask, COPAL_OPTION_BLOCK2), copal_block_encode(&block));
    }
    assert_int_equal(get_block("a", 5, 6), COPAL_BAD_REQUEST);
}

static void a_file_that_is_replaced_or_changed_half_way_shows_by_its_etag(void **state)
{
    (void)state;
    put_counted("served/a", 5000);
    assert_int_equal(get_block("a", 0, 6), COPAL_CONTENT);
    uint64_t first = etag_of_answer();
    assert_int_equal(get_block("a", 1, 6), COPAL_CONTENT);
    assert_true(etag_of_answer() == first);
    put_counted("served/b", 5000);
    assert_int_equal(rename("served/b", "served/a"), 0);
    assert_int_equal(get_block("a", 2, 6), COPAL_CONTENT);
    uint64_t second = etag_of_answer();
    assert_true(second != first);
    assert_int_equal(truncate("served/a", 4000), 0);
    assert_int_equal(get_block("a", 3, 6), COPAL_CONTENT);
    assert_true(etag_of_answer() != second);
    assert_int_equal(get_block("a", 4, 6), COPAL_BAD_REQUEST);
}

static void a_file_over_what_blocks_can_carry_is_an_error(void **state)
{
    (void)state;
    put("served/a", "");
    assert_int_equal(truncate("served/a", (off_t)1 << 30), 0); /* a hole */
    assert_int_equal(get_block("a", (1 << 20) - 1, 6), COPAL_CONTENT);
    assert_int_equal(option_of(&ask, COPAL_OPTION_BLOCK2), (((1 << 20) - 1) << 4) | 6);
    assert_int_equal(get_block("a", 0, 5), COPAL_BAD_REQUEST);
    assert_payload(&ask, "file needs larger blocks");
    assert_int_equal(truncate("served/a", ((off_t)1 << 30) + 1), 0);
    assert_int_equal(get_block("a", 0, 6), COPAL_INTERNAL_SERVER_ERROR);
    assert_payload(&ask, "file is over 1 GiB, the most that blocks can carry");
}

/* ---- while it is read --------------------------------------------------------------------------------------- */

static int changes;

static void change_once(void)
{
    if (changes++ == 0)
        put("served/a.txt", "changed");
}

static void change_always(void)
{
    char text[20];
    snprintf(text, sizeof text, "%0*d", 5 + changes, changes);
    changes++;
    put("served/a.txt", text);
}

static void shorten(void)
{
    if (changes++ == 0)
        assert_int_equal(truncate("served/a.txt", 2), 0);
}

static void a_file_that_changes_while_it_is_read_is_read_again(void **state)
{
    (void)state;
    put("served/a.txt", "one");
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    uint64_t before = etag_of_answer();
    changes = 0;
    meanwhile = change_once;
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    meanwhile = NULL;
    assert_payload(&ask, "changed");
    uint64_t after = etag_of_answer();
    assert_true(after != before);
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    assert_true(etag_of_answer() == after);
}

static void a_file_that_gets_shorter_while_it_is_read_is_read_again(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    changes = 0;
    meanwhile = shorten;
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
    meanwhile = NULL;
    assert_int_equal(changes, 3); /* a part, then nothing more; then all of it */
    assert_payload(&ask, "he");
}

static void a_file_that_never_rests_is_for_later(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    changes = 0;
    meanwhile = change_always;
    assert_int_equal(get("a.txt"), COPAL_SERVICE_UNAVAILABLE);
    meanwhile = NULL;
    assert_payload(&ask, "file is being changed");
}

static void a_file_that_cannot_be_read_is_a_server_error(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    disk_fails = true;
    assert_int_equal(get("a.txt"), COPAL_INTERNAL_SERVER_ERROR);
    disk_fails = false;
    assert_int_equal(get("a.txt"), COPAL_CONTENT);
}

/* ---- opening ------------------------------------------------------------------------------------------------ */

static void only_a_directory_that_is_there_can_be_served(void **state)
{
    (void)state;
    copal_directory_t *d;
    put("file", "");
    assert_int_equal(copal_directory_open(&d, "missing", NULL), COPAL_ESYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(copal_directory_open(&d, "file", NULL), COPAL_ESYSTEM);
    assert_int_equal(errno, ENOTDIR);
    copal_handle_t resource;
    assert_int_equal(copal_directory_add(tree, "", directory, &resource), COPAL_EEXIST);
    assert_int_equal(copal_directory_add(tree, "a", directory, &resource), 0);
    assert_int_equal(copal_tree_remove(tree, resource), 0);
    copal_directory_close(NULL);
}

static void no_descriptor_stays_open(void **state)
{
    (void)state;
    put("served/a.txt", "hello");
    assert_int_equal(mkfifo("served/fifo", 0666), 0);
    int before = dup(0);
    close(before);
    static const char *const paths[] = {"a.txt", "a.txt/", "", "missing", "fifo", "a.txt/b"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        get(paths[i]);
    get_with(COPAL_OPTION_ACCEPT, "\x32", 1);
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(a_file_is_answered_with_its_content_and_format),
        scratch_test(it_is_served_below_the_path_that_was_given_and_nowhere_else),
        scratch_test(other_resources_go_first),
        scratch_test(other_methods_are_not_allowed),
        scratch_test(a_file_without_permission_is_forbidden),
        scratch_test(the_etag_is_another_after_each_change),
        scratch_test(rfc7252_5_10_6_2_a_current_etag_is_answered_with_2_03),
        scratch_test(rfc7252_5_10_4_another_format_is_not_acceptable),
        scratch_test(rfc7252_5_10_8_preconditions_are_heeded),
        scratch_test(rfc7959_2_4_any_block_is_read_alone),
        scratch_test(a_file_that_is_replaced_or_changed_half_way_shows_by_its_etag),
        scratch_test(a_file_over_what_blocks_can_carry_is_an_error),
        scratch_test(a_file_that_changes_while_it_is_read_is_read_again),
        scratch_test(a_file_that_gets_shorter_while_it_is_read_is_read_again),
        scratch_test(a_file_that_never_rests_is_for_later),
        scratch_test(a_file_that_cannot_be_read_is_a_server_error),
        scratch_test(only_a_directory_that_is_there_can_be_served),
        scratch_test(no_descriptor_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

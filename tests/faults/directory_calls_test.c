/* A directory whose server is out of descriptors, or whose disk cannot be read: its trouble is told, and goes when
 * that goes. */
#define _GNU_SOURCE 1
#include "descriptors.h"
#include "directory/scratch.h"

#include <dirent.h>
#include <dlfcn.h>

enum { LONG_NAME = 765 }; /* as of 255 characters on a disk of FAT or NTFS: more octets than NAME_MAX says */

static int reading_error;
static unsigned long_names; /* still to be found */

struct dirent *readdir(DIR *open)
{
    static __typeof__(&readdir) next;
    if (!next)
        *(void **)(void *)&next = dlsym(RTLD_NEXT, "readdir");
    if (long_names > 0) {
        static _Alignas(struct dirent) char room[sizeof(struct dirent) + LONG_NAME];
        memset(room + offsetof(struct dirent, d_name), 0xe5, LONG_NAME);
        long_names--;
        return (struct dirent *)(void *)room;
    }
    if (reading_error == 0)
        return next(open);
    errno = reading_error;
    return NULL;
}

/* What has such a name is a file. */
int fstatat(int parent, const char *restrict name, struct stat *restrict state, int flags)
{
    static __typeof__(&fstatat) next;
    if (!next)
        *(void **)(void *)&next = dlsym(RTLD_NEXT, "fstatat");
    return next(parent, strlen(name) == LONG_NAME ? "file" : name, state, flags);
}

static const copal_directory_options_t writable = {.write = true};

static int writable_open(void **state)
{
    if (scratch_open(state))
        return -1;
    serve_end();
    reading_error = 0;
    put("served/file", "old");
    assert_int_equal(mkdir("served/below", 0777), 0);
    serve_with("served", "", &writable);
    return 0;
}

static const struct {
    copal_code_t method, code;
    const char *path;
} rows[] = {
    {COPAL_GET, COPAL_CONTENT, "file"}, {COPAL_GET, COPAL_CONTENT, ""},       {COPAL_GET, COPAL_CONTENT, "below"},
    {COPAL_PUT, COPAL_CHANGED, "file"}, {COPAL_POST, COPAL_CREATED, "below"}, {COPAL_DELETE, COPAL_DELETED, "file"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static copal_code_t ask_for(size_t row)
{
    return rows[row].method == COPAL_GET ? get(rows[row].path)
                                         : with_payload(&ask, tree, rows[row].method, rows[row].path, "new");
}

/* Each takes up to four at a time. */
static void without_descriptors_it_is_unavailable_until_there_are_some(void **state)
{
    (void)state;
    const unsigned before = descriptors();
    for (size_t i = 0; i < ROWS; i++) {
        copal_code_t code = 0;
        for (unsigned spare = 0; code != rows[i].code; spare++) {
            assert_in_range(spare, 0, 4);
            run_out(spare);
            code = ask_for(i);
            have_enough();
            assert_int_equal(descriptors(), before);
            if (code != rows[i].code)
                assert_int_equal(code, COPAL_SERVICE_UNAVAILABLE);
        }
        put("served/file", "old");
    }
}

/* Litter that it did not see would stay for as long as the server runs. */
static void it_does_not_open_where_it_cannot_look_for_litter(void **state)
{
    (void)state;
    copal_directory_t *opened;
    const unsigned before = descriptors();
    put("served/.copal-upload-1-1", "half");
    for (unsigned spare = 0; spare < 3; spare++) {
        run_out(spare);
        const int status = copal_directory_open(&opened, "served", &writable), reason = errno;
        have_enough();
        assert_int_equal(status, COPAL_ESYSTEM);
        assert_int_equal(reason, EMFILE);
        assert_int_equal(descriptors(), before);
    }
    reading_error = EIO;
    assert_int_equal(copal_directory_open(&opened, "served", &writable), COPAL_ESYSTEM);
    assert_int_equal(errno, EIO);
    reading_error = 0;
    assert_int_equal(copal_directory_open(&opened, "served", &writable), 0);
    copal_directory_close(opened);
    assert_int_equal(access("served/.copal-upload-1-1", F_OK), -1);
}

static void a_listing_that_cannot_be_read_is_an_error_and_not_a_short_one(void **state)
{
    (void)state;
    reading_error = EIO;
    assert_int_equal(get(""), COPAL_INTERNAL_SERVER_ERROR);
    assert_payload(&ask, "input or output failed on the server");
    reading_error = 0;
    assert_int_equal(get(""), COPAL_CONTENT);
}

/* No Uri-Path has room for it (RFC 7252 section 5.10). */
static void a_name_over_255_octets_is_not_listed(void **state)
{
    (void)state;
    long_names = 1;
    assert_int_equal(get(""), COPAL_CONTENT);
    assert_payload(&ask, "</below/>;ct=40,</file>;ct=42");
}

#define writable_test(name) cmocka_unit_test_setup_teardown(name, writable_open, scratch_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        writable_test(without_descriptors_it_is_unavailable_until_there_are_some),
        writable_test(it_does_not_open_where_it_cannot_look_for_litter),
        writable_test(a_listing_that_cannot_be_read_is_an_error_and_not_a_short_one),
        writable_test(a_name_over_255_octets_is_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

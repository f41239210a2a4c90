/* Files by PUT, POST and DELETE: whole or not at all. */
#define _GNU_SOURCE 1
#include "directory/scratch.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* The library's calls are these, so that a disk can be full or broken. */
static int write_error, fsync_error;

ssize_t write(int fd, const void *data, size_t size)
{
    if (write_error) {
        errno = write_error;
        return -1;
    }
    return writev(fd, &(struct iovec){(void *)(uintptr_t)data, size}, 1);
}

int fsync(int fd)
{
    errno = fsync_error;
    return fsync_error || fdatasync(fd) ? -1 : 0;
}

/* ---- what was told, what is there -------------------------------------------------------------------------- */

static struct {
    unsigned count;
    copal_code_t method, code;
    uint64_t size;
    char path[64];
} told;

static void tell(void *user, const copal_directory_change_t *change)
{
    assert_ptr_equal(user, &told);
    assert_int_equal(change->peer->size, 1);
    told.count++;
    told.method = change->method;
    told.code = change->code;
    told.size = change->size;
    snprintf(told.path, sizeof told.path, "%s", change->path);
}

static void serve_writable(uint64_t most)
{
    serve_end();
    memset(&told, 0, sizeof told);
    write_error = fsync_error = 0;
    serve_with("served", "", &(copal_directory_options_t){true, most, tell, &told});
}

static int writable_open(void **state)
{
    if (scratch_open(state))
        return -1;
    serve_writable(5000);
    return 0;
}

#define writable_test(name) cmocka_unit_test_setup_teardown(name, writable_open, scratch_close)

static void assert_file(const char *name, const char *text)
{
    char content[8192];
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    size_t size = fread(content, 1, sizeof content - 1, file);
    content[size] = 0;
    fclose(file);
    assert_string_equal(content, text);
}

/* How many entries there are, hidden ones too. */
static int entries(const char *name)
{
    int count = -2;
    DIR *open = opendir(name);
    while (readdir(open))
        count++;
    closedir(open);
    return count;
}

static copal_code_t put_text(const char *path, const char *text)
{
    return with_payload(&ask, tree, COPAL_PUT, path, text);
}

/* A part of 64 octets, each `fill`, by peer `peer`. */
static copal_code_t put_part(uint8_t peer, const char *path, uint32_t number, bool more, char fill)
{
    char part[64];
    memset(part, fill, sizeof part);
    begin(&ask, COPAL_PUT, path);
    ask.from.peer.data[0] = peer;
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK1, copal_block_encode(&(copal_block_t){number, more, 2}));
    copal_write_payload(&ask.in, bytes(part, sizeof part));
    return finish(&ask, tree);
}

/* ---- PUT ------------------------------------------------------------------------------------------------- */

static void put_creates_a_file_and_then_replaces_it(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777), 0);
    assert_int_equal(put_text("a/b.txt", "one"), COPAL_CREATED);
    uint64_t tag = etag_of_answer();
    assert_file("served/a/b.txt", "one");
    assert_int_equal(get("a/b.txt"), COPAL_CONTENT);
    assert_payload(&ask, "one");
    assert_true(etag_of_answer() == tag);
    assert_int_equal(put_text("a/b.txt", ""), COPAL_CHANGED);
    assert_true(etag_of_answer() != tag);
    assert_file("served/a/b.txt", "");
    assert_int_equal(entries("served/a"), 1);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.method, COPAL_PUT);
    assert_int_equal(told.code, COPAL_CHANGED);
    assert_string_equal(told.path, "a/b.txt");
}

static void permissions_are_those_of_the_file_that_was_there(void **state)
{
    (void)state;
    struct stat found;
    mode_t mask = umask(027);
    assert_int_equal(put_text("a", "one"), COPAL_CREATED);
    assert_int_equal(stat("served/a", &found), 0);
    assert_int_equal(found.st_mode & 07777, 0640);
    assert_int_equal(chmod("served/a", 0755), 0);
    assert_int_equal(put_text("a", "two"), COPAL_CHANGED);
    assert_int_equal(stat("served/a", &found), 0);
    assert_int_equal(found.st_mode & 07777, 0755);
    umask(mask);
}

static void a_body_in_parts_is_seen_when_it_is_whole(void **state)
{
    (void)state;
    put("served/a", "old");
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    assert_int_equal(put_part(1, "a", 1, true, 'y'), COPAL_CONTINUE);
    assert_file("served/a", "old");
    assert_int_equal(get(""), COPAL_CONTENT);
    assert_payload(&ask, "</a>;ct=42");
    assert_int_equal(put_part(1, "a", 2, false, 'z'), COPAL_CHANGED);
    char whole[193] = "";
    for (size_t i = 0; i < 192; i++)
        whole[i] = "xyz"[i / 64];
    assert_file("served/a", whole);
    assert_int_equal(entries("served"), 1);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.size, 192);
}

static void a_body_that_breaks_off_leaves_the_old_file_and_nothing_else(void **state)
{
    (void)state;
    put("served/a", "old");
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    assert_int_equal(entries("served"), 2);
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE); /* anew */
    assert_int_equal(entries("served"), 2);
    assert_int_equal(put_part(1, "a", 2, false, 'x'), COPAL_REQUEST_ENTITY_INCOMPLETE);
    serve_writable(0);
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    copal_tree_close(tree); /* the server ends */
    assert_int_equal(told.code, COPAL_REQUEST_ENTITY_INCOMPLETE);
    assert_int_equal(told.size, 64);
    assert_int_equal(entries("served"), 1);
    assert_file("served/a", "old");
}

static void of_two_uploads_at_once_the_one_that_ends_last_stays_whole(void **state)
{
    (void)state;
    char whole[129] = "";
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    assert_int_equal(put_part(2, "a", 0, true, 'y'), COPAL_CONTINUE);
    assert_int_equal(put_part(2, "a", 1, false, 'y'), COPAL_CREATED);
    assert_file("served/a", memset(whole, 'y', 128));
    assert_int_equal(put_part(1, "a", 1, false, 'x'), COPAL_CHANGED);
    assert_file("served/a", memset(whole, 'x', 128));
    assert_int_equal(entries("served"), 1);
}

static void a_body_over_the_bound_is_refused_as_soon_as_that_is_known(void **state)
{
    (void)state;
    serve_writable(100);
    char text[102] = "";
    assert_int_equal(put_text("a", memset(text, 'x', 101)), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&ask, COPAL_OPTION_SIZE1), 100);
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    assert_int_equal(put_part(1, "a", 1, true, 'x'), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&ask, COPAL_OPTION_SIZE1), 100);
    begin(&ask, COPAL_PUT, "a");
    copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK1, copal_block_encode(&(copal_block_t){0, true, 0}));
    copal_write_option_uint(&ask.in, COPAL_OPTION_SIZE1, 101);
    copal_write_text(&ask.in, "0123456789abcdef");
    assert_int_equal(finish(&ask, tree), COPAL_REQUEST_ENTITY_TOO_LARGE);
    assert_int_equal(option_of(&ask, COPAL_OPTION_SIZE1), 100);
    assert_int_equal(entries("served"), 0);
    text[100] = 0;
    assert_int_equal(put_text("a", text), COPAL_CREATED);
    copal_directory_t *d;
    const copal_directory_options_t most = {.write = true, .upload_size = ((uint64_t)1 << 30) + 1};
    assert_int_equal(copal_directory_open(&d, "served", &most), COPAL_EINVAL);
}

static copal_code_t put_if(uint16_t number, const void *value, size_t size)
{
    begin(&ask, COPAL_PUT, "a");
    copal_write_option(&ask.in, number, bytes(value, size));
    copal_write_text(&ask.in, "new");
    return finish(&ask, tree);
}

static void rfc7252_5_10_8_preconditions_are_heeded(void **state)
{
    (void)state;
    assert_int_equal(put_if(COPAL_OPTION_IF_MATCH, "", 0), COPAL_PRECONDITION_FAILED);
    assert_int_equal(put_if(COPAL_OPTION_IF_NONE_MATCH, "", 0), COPAL_CREATED);
    uint64_t tag = etag_of_answer(), other = tag ^ 1;
    assert_int_equal(put_if(COPAL_OPTION_IF_NONE_MATCH, "", 0), COPAL_PRECONDITION_FAILED);
    assert_int_equal(put_if(COPAL_OPTION_IF_MATCH, &other, 8), COPAL_PRECONDITION_FAILED);
    assert_int_equal(put_if(COPAL_OPTION_IF_MATCH, &tag, 8), COPAL_CHANGED);
    assert_int_equal(put_if(COPAL_OPTION_IF_MATCH, &tag, 8), COPAL_PRECONDITION_FAILED);
    assert_int_equal(put_if(COPAL_OPTION_IF_MATCH, "", 0), COPAL_CHANGED);
    assert_int_equal(entries("served"), 1);
}

static void preconditions_are_heeded_when_the_upload_ends_too(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        begin(&ask, COPAL_PUT, "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_NONE_MATCH, bytes(NULL, 0));
        copal_write_option_uint(&ask.in, COPAL_OPTION_BLOCK1, copal_block_encode(&(copal_block_t){number, !number, 0}));
        copal_write_text(&ask.in, "0123456789abcdef");
        assert_int_equal(finish(&ask, tree), number ? COPAL_PRECONDITION_FAILED : COPAL_CONTINUE);
        put("served/a", "somebody else's");
    }
    assert_file("served/a", "somebody else's");
    assert_int_equal(entries("served"), 1);
}

static void what_cannot_be_a_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/d", 0777) | mkfifo("served/fifo", 0666), 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "served/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    put("served/f", "");
    static const struct {
        const char *path;
        copal_code_t code;
        const char *text;
    } cases[] = {
        {"", COPAL_METHOD_NOT_ALLOWED, "this is a directory"},
        {"d", COPAL_METHOD_NOT_ALLOWED, "this is a directory"},
        {"d/", COPAL_METHOD_NOT_ALLOWED, "this is a directory"},
        {"fifo", COPAL_FORBIDDEN, "this is no regular file"},
        {"socket", COPAL_FORBIDDEN, "this is no regular file"},
        {"missing/a", COPAL_NOT_FOUND, "there is no such directory"},
        {"f/a", COPAL_NOT_FOUND, "there is no such directory"},
        {".a", COPAL_NOT_FOUND, ""},
        {".copal-upload-1-1", COPAL_NOT_FOUND, ""},
        {"a%2fb", COPAL_BAD_REQUEST, "no file name has such a character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(put_text(cases[i].path, "x"), cases[i].code);
        assert_payload(&ask, cases[i].text);
        assert_int_equal(put_text(cases[i].path, ""), cases[i].code);
        assert_payload(&ask, cases[i].text);
        assert_int_equal(put_part(1, cases[i].path, 0, true, 'x'), cases[i].code);
        assert_payload(&ask, cases[i].text);
    }
    assert_int_equal(entries("served"), 4);
    assert_int_equal(entries("served/d"), 0);
}

static void no_link_leads_an_upload_outside(void **state)
{
    (void)state;
    assert_int_equal(symlink("../outside.txt", "served/link") | symlink("..", "served/up"), 0);
    assert_int_equal(put_text("up/outside.txt", "x"), COPAL_NOT_FOUND);
    assert_int_equal(put_text("up/new", "x"), COPAL_NOT_FOUND);
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "up/outside.txt"), COPAL_DELETED); /* nothing, since there is nothing */
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "link"), COPAL_DELETED);
    assert_int_equal(put_text("link", "x"), COPAL_CREATED); /* in the link's place */
    assert_file("served/link", "x");
    assert_file("outside.txt", "secret");
    assert_int_equal(entries("."), 2);
}

static void a_disk_that_is_full_or_broken_leaves_the_old_file(void **state)
{
    (void)state;
    put("served/a", "old");
    static const struct {
        int error;
        copal_code_t code;
        const char *text;
    } cases[] = {
        {ENOSPC, COPAL_SERVICE_UNAVAILABLE, "no space is left on the server's disk"},
        {EDQUOT, COPAL_SERVICE_UNAVAILABLE, "no space is left on the server's disk"},
        {EFBIG, COPAL_REQUEST_ENTITY_TOO_LARGE, "too large for the server's disk"},
        {EIO, COPAL_INTERNAL_SERVER_ERROR, "input or output failed on the server"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_error = cases[i].error;
        assert_int_equal(put_text("a", "new"), cases[i].code);
        assert_payload(&ask, cases[i].text);
        write_error = 0;
        assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
        write_error = cases[i].error;
        assert_int_equal(put_part(1, "a", 1, true, 'x'), cases[i].code);
        assert_payload(&ask, cases[i].text);
        assert_int_equal(told.code, cases[i].code);
        write_error = 0;
        fsync_error = cases[i].error;
        assert_int_equal(put_text("a", "new"), cases[i].code);
        assert_payload(&ask, cases[i].text);
        fsync_error = 0;
    }
    assert_file("served/a", "old");
    assert_int_equal(entries("served"), 1);
}

/* ---- POST ------------------------------------------------------------------------------------------------- */

/* Posts to `path`; the location as text in `location`. */
static copal_code_t post(const char *path, int format, char location[256])
{
    begin(&ask, COPAL_POST, path);
    if (format >= 0)
        copal_write_option_uint(&ask.in, COPAL_OPTION_CONTENT_FORMAT, (uint32_t)format);
    copal_write_text(&ask.in, "{}");
    copal_code_t code = finish(&ask, tree);
    copal_option_reader_t reader = copal_message_options(&ask.answer);
    copal_option_t o;
    *location = 0;
    while (copal_option_next(&reader, &o))
        if (o.number == COPAL_OPTION_LOCATION_PATH)
            sprintf(location + strlen(location), "/%.*s", (int)o.value.size, (const char *)o.value.data);
    return code;
}

static void post_to_a_directory_creates_a_file_there(void **state)
{
    (void)state;
    char first[256], second[256], third[256];
    assert_int_equal(mkdir("served/a", 0777), 0);
    assert_int_equal(post("a", 50, first), COPAL_CREATED);
    assert_int_equal(post("a/", 50, second), COPAL_CREATED); /* in the same second, as a rule */
    assert_int_equal(post("", -1, third), COPAL_CREATED);
    assert_string_not_equal(first, second);
    assert_memory_equal(first, "/a/20", 5);
    assert_memory_equal(second, "/a/20", 5);
    assert_memory_equal(third, "/20", 3);
    assert_int_equal(get(first), COPAL_CONTENT);
    assert_payload(&ask, "{}");
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 50);
    assert_int_equal(get(second), COPAL_CONTENT);
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 50);
    assert_int_equal(get(third), COPAL_CONTENT);
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 42);
    assert_int_equal(entries("served/a"), 2);
    assert_int_equal(entries("served"), 2);
}

static void the_location_is_below_the_path_that_the_directory_is_served_at(void **state)
{
    (void)state;
    char location[256];
    serve_end();
    serve_with("served", "files", &(copal_directory_options_t){.write = true});
    assert_int_equal(post("files/", 0, location), COPAL_CREATED);
    assert_memory_equal(location, "/files/20", 9);
    assert_int_equal(get(location), COPAL_CONTENT);
}

static void post_to_anything_else_creates_nothing(void **state)
{
    (void)state;
    char location[256];
    put("served/a", "");
    assert_int_equal(post("a", -1, location), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(post("missing", -1, location), COPAL_NOT_FOUND);
    assert_int_equal(post("..", -1, location), COPAL_CREATED); /* the writer makes "" of it */
    assert_int_equal(post(".git", -1, location), COPAL_NOT_FOUND);
    assert_int_equal(entries("served"), 2);
    assert_int_equal(entries("."), 2);
}

/* ---- DELETE ----------------------------------------------------------------------------------------------- */

static void delete_removes_a_file(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/d", 0777), 0);
    put("served/d/a", "x");
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "d/a"), COPAL_DELETED);
    assert_int_equal(told.code, COPAL_DELETED);
    assert_string_equal(told.path, "d/a");
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "d/a"), COPAL_DELETED); /* RFC 7252 section 5.8.4 */
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "d"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, "d/"), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(simple(&ask, tree, COPAL_DELETE, ""), COPAL_METHOD_NOT_ALLOWED);
    assert_int_equal(entries("served"), 1);
    assert_int_equal(entries("served/d"), 0);
}

static void delete_heeds_preconditions(void **state)
{
    (void)state;
    put("served/a", "x");
    assert_int_equal(get("a"), COPAL_CONTENT);
    uint64_t tag = etag_of_answer(), other = tag ^ 1;
    const uint64_t *const tags[] = {&other, &tag, &tag};
    static const copal_code_t codes[] = {COPAL_PRECONDITION_FAILED, COPAL_DELETED, COPAL_PRECONDITION_FAILED};
    for (size_t i = 0; i < 3; i++) {
        begin(&ask, COPAL_DELETE, "a");
        copal_write_option(&ask.in, COPAL_OPTION_IF_MATCH, bytes(tags[i], 8));
        assert_int_equal(finish(&ask, tree), codes[i]);
    }
}

/* ---- what servers leave ------------------------------------------------------------------------------------ */

static void litter_is_removed_when_a_writable_directory_is_opened(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/d", 0777) | mkdir("served/d/e", 0777) | mkdir("served/.git", 0777), 0);
    assert_int_equal(symlink("..", "served/up"), 0);
    put(".copal-upload-9-9", "outside");
    put("served/.copal-upload-1-0", "x");
    put("served/d/e/.copal-upload-123-45", "x");
    put("served/.copal", "mine");
    serve_end();
    serve_at("");
    assert_int_equal(access("served/.copal-upload-1-0", F_OK), 0); /* read only */
    serve_writable(0);
    assert_int_equal(entries("served"), 4);
    assert_int_equal(entries("served/d/e"), 0);
    assert_file(".copal-upload-9-9", "outside");
}

static void another_servers_uploads_are_no_litter(void **state)
{
    (void)state;
    assert_int_equal(put_part(1, "a", 0, true, 'x'), COPAL_CONTINUE);
    copal_directory_t *other;
    assert_int_equal(copal_directory_open(&other, "served", &(copal_directory_options_t){.write = true}), 0);
    copal_directory_close(other);
    assert_int_equal(put_part(1, "a", 1, false, 'x'), COPAL_CREATED);
}

static void a_name_that_is_taken_by_litter_is_passed_by(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "served/.copal-upload-%ld-0", (long)getpid());
    put(name, "x");
    assert_int_equal(put_text("a", "new"), COPAL_CREATED);
    assert_file("served/a", "new");
    assert_file(name, "x");
}

static void a_directory_that_cannot_be_written_is_not_opened_for_it(void **state)
{
    (void)state;
    copal_directory_t *d;
    assert_int_equal(chmod("served", 0555), 0);
    bool can = access("served", W_OK) == 0; /* root can anyway */
    int status = copal_directory_open(&d, "served", &(copal_directory_options_t){.write = true});
    assert_int_equal(status, can ? 0 : COPAL_ESYSTEM);
    assert_true(can || errno == EACCES);
    if (can)
        copal_directory_close(d);
    assert_int_equal(copal_directory_open(&d, "/proc/self", &(copal_directory_options_t){.write = true}), COPAL_ESYSTEM);
}

static void no_descriptor_stays_open(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    put_text("a", "x");
    put_text("a/b", "x");
    put_text("missing/b", "x");
    simple(&ask, tree, COPAL_DELETE, "a");
    put_part(1, "a", 0, true, 'x');
    put_part(1, "a", 2, true, 'x');
    put_part(1, "a", 0, true, 'x');
    put_part(1, "a", 1, false, 'x');
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        writable_test(put_creates_a_file_and_then_replaces_it),
        writable_test(permissions_are_those_of_the_file_that_was_there),
        writable_test(a_body_in_parts_is_seen_when_it_is_whole),
        writable_test(a_body_that_breaks_off_leaves_the_old_file_and_nothing_else),
        writable_test(of_two_uploads_at_once_the_one_that_ends_last_stays_whole),
        writable_test(a_body_over_the_bound_is_refused_as_soon_as_that_is_known),
        writable_test(rfc7252_5_10_8_preconditions_are_heeded),
        writable_test(preconditions_are_heeded_when_the_upload_ends_too),
        writable_test(what_cannot_be_a_file_is_refused),
        writable_test(no_link_leads_an_upload_outside),
        writable_test(a_disk_that_is_full_or_broken_leaves_the_old_file),
        writable_test(post_to_a_directory_creates_a_file_there),
        writable_test(the_location_is_below_the_path_that_the_directory_is_served_at),
        writable_test(post_to_anything_else_creates_nothing),
        writable_test(delete_removes_a_file),
        writable_test(delete_heeds_preconditions),
        writable_test(litter_is_removed_when_a_writable_directory_is_opened),
        writable_test(another_servers_uploads_are_no_litter),
        writable_test(a_name_that_is_taken_by_litter_is_passed_by),
        writable_test(a_directory_that_cannot_be_written_is_not_opened_for_it),
        writable_test(no_descriptor_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* No path leads out of the directory, by either way of opening. */
#define _GNU_SOURCE 1
#include "directory/directory.h"
#include "directory/scratch.h"

#include <sys/socket.h>
#include <sys/un.h>

static int (*const ways[])(int root, const char *path, int flags) = {copal__open_beneath, copal__open_walking};

/* Whether any of both ways opens it. */
static bool opens(const char *path)
{
    bool opened = false;
    int root = open("served", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < 2; i++) {
        int fd = ways[i](root, path, O_RDONLY | O_NONBLOCK);
        opened = opened || fd >= 0;
        if (fd >= 0)
            close(fd);
    }
    close(root);
    return opened;
}

static void both_ways_open_what_is_below(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777) | mkdir("served/a/b", 0777), 0);
    put("served/a/b/c", "hello");
    int root = open("served", O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < 2; i++) {
        char text[5];
        int fd = ways[i](root, "a/b/c", O_RDONLY);
        assert_int_equal(read(fd, text, sizeof text), 5);
        assert_memory_equal(text, "hello", 5);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
        fd = ways[i](root, "", O_RDONLY | O_DIRECTORY);
        assert_true(fd >= 0);
        close(fd);
    }
    close(root);
}

static void no_link_leads_outside(void **state)
{
    (void)state;
    assert_int_equal(symlink("../outside.txt", "served/up"), 0);
    assert_int_equal(symlink("..", "served/parent"), 0);
    assert_int_equal(symlink("/", "served/root"), 0);
    char absolute[5000];
    snprintf(absolute, sizeof absolute, "%s/outside.txt", around);
    assert_int_equal(symlink(absolute, "served/absolute"), 0);
    assert_int_equal(symlink("up", "served/twice"), 0);
    assert_int_equal(symlink("loop", "served/loop"), 0);
    static const char *const paths[] = {"up",       "parent/outside.txt", "parent", "root/etc/passwd",
                                        "absolute", "twice",              "loop",   "loop/a"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_false(opens(paths[i]));
        assert_int_equal(get(paths[i]), COPAL_NOT_FOUND);
    }
}

static void a_directory_that_becomes_a_link_leads_nowhere(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777), 0);
    put("served/a/outside.txt", "mine");
    assert_int_equal(get("a/outside.txt"), COPAL_CONTENT);
    assert_int_equal(rename("served/a", "served/b") | symlink("..", "served/a"), 0);
    assert_int_equal(get("a/outside.txt"), COPAL_NOT_FOUND);
}

static void names_that_are_no_names_are_refused(void **state)
{
    (void)state;
    assert_int_equal(get_segment("../outside.txt", 14), COPAL_BAD_REQUEST);
    assert_int_equal(get_segment("/etc/passwd", 11), COPAL_BAD_REQUEST);
    assert_int_equal(get_segment("..", 2), COPAL_BAD_REQUEST);
    assert_int_equal(get_segment(".", 1), COPAL_BAD_REQUEST);
    put("served/a", "hello");
    assert_int_equal(get_segment("a\0b", 3), COPAL_BAD_REQUEST);
    assert_int_equal(get_segment("a\0", 2), COPAL_BAD_REQUEST);
    assert_int_equal(get("%2e%2e/outside.txt"), COPAL_NOT_FOUND); /* the writer resolves it to "outside.txt" */
    assert_int_equal(get("a//"), COPAL_NOT_FOUND);
    assert_int_equal(get("//a"), COPAL_NOT_FOUND);
    assert_int_equal(get("a/"), COPAL_NOT_FOUND);
    assert_int_equal(get("a/b"), COPAL_NOT_FOUND);
}

static void hidden_names_are_not_there(void **state)
{
    (void)state;
    put("served/.hidden", "secret");
    assert_int_equal(mkdir("served/.git", 0777), 0);
    put("served/.git/config", "secret");
    put("served/...", "secret");
    assert_int_equal(get(".hidden"), COPAL_NOT_FOUND);
    assert_int_equal(get(".git"), COPAL_NOT_FOUND);
    assert_int_equal(get(".git/config"), COPAL_NOT_FOUND);
    assert_int_equal(get("..."), COPAL_NOT_FOUND);
}

static void long_names_and_paths_are_not_there(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'a', sizeof name);
    name[255] = 0;
    put("served/a", "hello");
    assert_int_equal(get_segment(name, 255), COPAL_NOT_FOUND);
    /* Over what the file system takes, and over what is kept of a path. */
    begin(&ask, COPAL_GET, "");
    for (int i = 0; i < 15; i++)
        copal_write_option(&ask.in, COPAL_OPTION_URI_PATH, bytes(name, 255));
    assert_int_equal(finish(&ask, tree), COPAL_NOT_FOUND);
    begin(&ask, COPAL_GET, "");
    for (int i = 0; i < 1000; i++)
        copal_write_option(&ask.in, COPAL_OPTION_URI_PATH, bytes("a", 1));
    assert_int_equal(finish(&ask, tree), COPAL_NOT_FOUND);
    char part[600];
    memset(part, 'b', sizeof part);
    part[300] = '/';
    part[599] = 0;
    assert_false(opens(part));
}

static void only_regular_files_and_directories_are_there(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("served/fifo", 0666), 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "served/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(get("fifo"), COPAL_NOT_FOUND);
    assert_int_equal(get("socket"), COPAL_NOT_FOUND);
    close(fd);
    serve_end();
    serve_with("/dev", "", NULL);
    assert_int_equal(get("null"), COPAL_NOT_FOUND);
    assert_int_equal(get("zero"), COPAL_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(both_ways_open_what_is_below),
        scratch_test(no_link_leads_outside),
        scratch_test(a_directory_that_becomes_a_link_leads_nowhere),
        scratch_test(names_that_are_no_names_are_refused),
        scratch_test(hidden_names_are_not_there),
        scratch_test(long_names_and_paths_are_not_there),
        scratch_test(only_regular_files_and_directories_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Directories by GET: their entries in link-format. */
#define _GNU_SOURCE 1
#include "directory/scratch.h"

#include "copal/link.h"

static void entries_are_sorted_and_hidden_ones_left_out(void **state)
{
    (void)state;
    put("served/b.txt", "");
    put("served/a.json", "");
    put("served/B", "");
    put("served/.hidden", "");
    assert_int_equal(mkdir("served/a", 0777) | mkfifo("served/fifo", 0666), 0);
    assert_int_equal(get(""), COPAL_CONTENT);
    assert_payload(&ask, "</B>;ct=42,</a/>;ct=40,</a.json>;ct=50,</b.txt>;ct=0");
    assert_int_equal(option_of(&ask, COPAL_OPTION_CONTENT_FORMAT), 40);
}

static void a_directory_may_have_a_slash_behind_it(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777), 0);
    put("served/a/x", "");
    assert_int_equal(get("a"), COPAL_CONTENT);
    assert_payload(&ask, "</a/x>;ct=42");
    assert_int_equal(get("a/"), COPAL_CONTENT);
    assert_payload(&ask, "</a/x>;ct=42");
    serve_end();
    serve_at("files");
    assert_int_equal(get("files/"), COPAL_CONTENT);
    assert_payload(&ask, "</files/a/>;ct=40");
    assert_int_equal(get("files/a/"), COPAL_CONTENT);
    assert_payload(&ask, "</files/a/x>;ct=42");
}

static void names_are_encoded_so_that_the_links_lead_to_them(void **state)
{
    (void)state;
    char longest[256];
    memset(longest, '>', 255);
    longest[255] = 0;
    char path[300];
    snprintf(path, sizeof path, "served/%s", longest);
    put(path, "");
    put("served/a>b,\"c\"%", "");
    put("served/\xff\n", "");
    assert_int_equal(get(""), COPAL_CONTENT);
    copal_bytes_t rest = ask.answer.payload;
    uint8_t document[4096];
    memcpy(document, rest.data, rest.size);
    rest.data = document;
    size_t count = 0;
    for (copal_link_t link; copal_link_next(&rest, &link) > 0; count++) {
        char target[1024];
        memcpy(target, link.target.data, link.target.size);
        target[link.target.size] = 0;
        assert_int_equal(get(target), COPAL_CONTENT);
    }
    assert_int_equal(count, 3);
    assert_int_equal(rest.size, 0);
}

static void links_are_listed_where_they_can_be_followed(void **state)
{
    (void)state;
    assert_int_equal(mkdir("served/a", 0777), 0);
    put("served/file", "hello");
    assert_int_equal(symlink("../outside.txt", "served/evil") | symlink("missing", "served/dangling"), 0);
    assert_int_equal(symlink("../file", "served/a/link"), 0);
    bool follows = get("a/link") == COPAL_CONTENT; /* as the platform has it */
    assert_int_equal(get("a"), COPAL_CONTENT);
    assert_payload(&ask, follows ? "</a/link>;ct=42" : "");
    assert_int_equal(get(""), COPAL_CONTENT);
    assert_payload(&ask, "</a/>;ct=40,</file>;ct=42");
}

static void the_etag_is_another_when_an_entry_comes_or_goes(void **state)
{
    (void)state;
    assert_int_equal(get(""), COPAL_CONTENT);
    assert_payload(&ask, "");
    uint64_t empty = etag_of_answer();
    put("served/a", "");
    assert_int_equal(get(""), COPAL_CONTENT);
    uint64_t one = etag_of_answer();
    assert_true(one != empty);
    begin(&ask, COPAL_GET, "");
    copal_write_option(&ask.in, COPAL_OPTION_ETAG, bytes(&one, 8));
    assert_int_equal(finish(&ask, tree), COPAL_VALID);
    begin(&ask, COPAL_GET, "");
    copal_write_option_uint(&ask.in, COPAL_OPTION_ACCEPT, 50);
    assert_int_equal(finish(&ask, tree), COPAL_NOT_ACCEPTABLE);
}

static void a_long_listing_comes_in_blocks(void **state)
{
    (void)state;
    char name[40], text[20000] = "";
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "served/file-%03d", 499 - i);
        put(name, "");
        sprintf(text + strlen(text), "%s</file-%03d>;ct=42", i ? "," : "", i);
    }
    size_t size = strlen(text), at = 0;
    for (uint32_t number = 0; at < size; number++) {
        assert_int_equal(get_block("", number, 6), COPAL_CONTENT);
        assert_memory_equal(ask.answer.payload.data, text + at, ask.answer.payload.size);
        at += ask.answer.payload.size;
    }
    assert_int_equal(at, size);
}

static void a_directory_with_too_many_entries_says_so(void **state)
{
    (void)state;
    char name[300];
    for (int i = 0; i < 4200; i++) {
        snprintf(name, sizeof name, "served/%0250d", i);
        put(name, "");
    }
    assert_int_equal(get(""), COPAL_INTERNAL_SERVER_ERROR);
    assert_payload(&ask, "too many entries to be listed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(entries_are_sorted_and_hidden_ones_left_out),
        scratch_test(a_directory_may_have_a_slash_behind_it),
        scratch_test(names_are_encoded_so_that_the_links_lead_to_them),
        scratch_test(links_are_listed_where_they_can_be_followed),
        scratch_test(the_etag_is_another_when_an_entry_comes_or_goes),
        scratch_test(a_long_listing_comes_in_blocks),
        scratch_test(a_directory_with_too_many_entries_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A directory without memory: its trouble is told, and what is there stays whole. */
#define _GNU_SOURCE 1
#include "no_memory.h"

#include "directory/scratch.h"
#include "host/wire.h"

static const copal_directory_options_t writable = {.write = true};
static copal_host_t *host;
static copal_directory_t *shown;
static copal_peer_t server;
static int fd;

static int writable_open(void **state)
{
    uint16_t port;
    if (scratch_open(state))
        return -1;
    for (char name[] = "served/file-0"; name[12] <= '3'; name[12]++)
        put(name, "old");
    assert_int_equal(mkdir("served/below", 0777), 0);
    host = wire_host(NULL, "127.0.0.1", &port);
    server = wire_peer("127.0.0.1", port);
    fd = wire_open("127.0.0.1");
    assert_int_equal(copal_directory_open(&shown, "served", &writable), 0);
    return copal_directory_add(copal_host_tree(host), "", shown, NULL);
}

static int writable_close(void **state)
{
    close(fd);
    copal_host_close(host);
    copal_directory_close(shown);
    return scratch_close(state);
}

/* A request that the host answers in one turn. */
static copal_message_t asked(copal_code_t method, const char *path, const char *payload)
{
    static uint8_t out[256], in[2048];
    static uint16_t id;
    copal_writer_t w;
    copal_bytes_t datagram;
    copal_writer_init(&w, out, sizeof out);
    copal_write_header(&w, COPAL_CON, method, ++id, copal_text("t"));
    copal_write_path_and_query(&w, copal_text(path));
    copal_write_text(&w, payload);
    assert_int_equal(copal_writer_finish(&w, &datagram), 0);
    wire_send(fd, &server, datagram);
    assert_int_equal(copal_host_step(host, -1), 0);
    enough_memory();
    return wire_receive(fd, in, sizeof in, NULL);
}

static int open_it(void)
{
    copal_directory_t *opened;
    const int status = copal_directory_open(&opened, "served", &writable);
    const int reason = errno;
    enough_memory();
    if (status == 0)
        copal_directory_close(opened);
    if (status == COPAL_ESYSTEM)
        assert_int_equal(reason, ENOMEM);
    return status;
}

static void it_does_not_open_without_memory(void **state)
{
    (void)state;
    each_without_memory(open_it, 2, (const int[]){COPAL_ENOMEM, COPAL_ESYSTEM, 0});
}

static int list_it(void)
{
    const copal_message_t answer = asked(COPAL_GET, "", "");
    if (answer.code == COPAL_CONTENT)
        assert_bytes(answer.payload, "</below/>;ct=40,</file-0>;ct=42,</file-1>;ct=42,</file-2>;ct=42,</file-3>;ct=42");
    return answer.code == COPAL_CONTENT ? 0 : answer.code;
}

static void a_listing_without_memory_is_unavailable(void **state)
{
    (void)state;
    each_without_memory(list_it, 2, (const int[]){COPAL_SERVICE_UNAVAILABLE, 0});
}

static int put_it(void)
{
    char content[8];
    const copal_code_t code = asked(COPAL_PUT, "file-3", "new").code;
    FILE *file = fopen("served/file-3", "r");
    assert_non_null(file);
    assert_string_equal(fgets(content, sizeof content, file), code == COPAL_CHANGED ? "new" : "old");
    fclose(file);
    put("served/file-3", "old");
    return code == COPAL_CHANGED ? 0 : code;
}

static void an_upload_without_memory_leaves_what_was_there(void **state)
{
    (void)state;
    each_without_memory(put_it, 1, (const int[]){COPAL_SERVICE_UNAVAILABLE, 0});
}

#define writable_test(name) cmocka_unit_test_setup_teardown(name, writable_open, writable_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        writable_test(it_does_not_open_without_memory),
        writable_test(a_listing_without_memory_is_unavailable),
        writable_test(an_upload_without_memory_leaves_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the tool reads: what is typed, files of keys, and what servers send. What it prints of that for people is UTF-8 that
 * steers no terminal, whatever came. The first octet says which of these the rest is. */
#define _GNU_SOURCE /* memfd_create; stdout and stderr can be set */

#include "../tool/secure.h"
#include "common/input.h"
#include "support/check.h"
#include "support/random.h"

#include <getopt.h>
#include <sys/mman.h>
#include <unistd.h>

int __wrap_isatty(int fd);

/* So that payloads are shown as on a terminal; colours ask for the number of the stream, which has none here. */
int __wrap_isatty(int fd) { return fd == STDOUT_FILENO; }

/* ---- what servers send --------------------------------------------------------------------------------------------------- */

static void show_payload(input_t *in)
{
    static const int32_t formats[] = {-1, 0, 40, 50, 60, 257, 11060, 65000};
    const int32_t format = formats[input_below(in, 8)];
    const copal_bytes_t octets = {in->at, input_left(in)};
    copal_answer_t answer = {.code = COPAL_CONTENT, .content_format = format, .size = octets.size};
    answer.payload = (uint8_t *)text_copy(octets); /* as the host does, with a NUL behind it */
    tool_print_payload(&answer);
    free(answer.payload);
}

static void show_table(copal_bytes_t octets)
{
    uint8_t *copy = octets_copy(octets);
    tool_found_t found[2] = {{.uri = "coap://a", .content_format = 40, .payload = copy, .size = octets.size},
                             {.uri = "coap://b", .content_format = 0, .payload = copy, .size = octets.size}};
    tool_print_link_table((copal_bytes_t){copy, octets.size});
    tool_print_found_table(found, 2);
    tool_print_found(&found[1]);
    free(copy);
}

static void show_datagram(copal_bytes_t octets)
{
    uint8_t *copy = octets_copy(octets);
    const copal_peer_t peer = {.size = 6, .data = {127, 0, 0, 1, 0x16, 0x33}};
    tool_trace(NULL, false, &peer, (copal_bytes_t){copy, octets.size});
    free(copy);
}

/* ---- what is typed ------------------------------------------------------------------------------------------------------- */

/* One argument a line. */
static void take_arguments(char *text)
{
    char name[] = "copal", *argv[12] = {name};
    int argc = 1;
    for (char *rest = text, *line; argc < 11 && (line = strsep(&rest, "\n"));)
        argv[argc++] = line;
    const tool_command_t *const commands[] = {&tool_get, &tool_put, &tool_patch};
    tool_request_t request = {0};
    optind = 0; /* getopt begins anew */
    const int status = tool_request_options(commands[argc % 3], &request, argc, argv);
    check(status >= -1 && status <= TOOL_USAGE);
    tool_find_command(argv[argc - 1]);
    tool_close_request(&request);
}

static void take_uri(const char *text)
{
    tool_request_t request = {0};
    copal_uri_t uri;
    const int status = tool_take_uri(&tool_get, &request, text, &uri);
    check(status == 0 || status == TOOL_USAGE || status == TOOL_REFUSED);
    tool_close_request(&request);
}

static void take_values(const char *text)
{
    uint8_t octets[64], key[COPAL_KEY_SIZE];
    char again[32];
    copal_bytes_t taken;
    uint64_t number;
    uint32_t milliseconds;
    size_t size;
    if (tool_parse_octets(text, octets, sizeof octets, &taken))
        check(taken.size <= sizeof octets);
    if (tool_parse_number(text, 0, UINT64_MAX, &number)) {
        snprintf(again, sizeof again, "%llu", (unsigned long long)number);
        check(strcmp(text + strspn(text, "0") - (number == 0 && *text == '0'), again) == 0);
    }
    if (tool_parse_seconds(text, &milliseconds))
        check(milliseconds > 0);
    tool_parse_size(text, &size);
    if (*text != '@') /* a file */
        tool_parse_key(&tool_get, text, key, &taken);
}

static void take_resource(const char *text)
{
    random_t random = random_from(1);
    const copal_tree_config_t config = {.random = random_fill, .random_state = &random};
    const size_t size = copal_tree_size(&config.limits);
    void *memory = calloc(1, size);
    copal_tree_t *tree;
    check_equal(copal_tree_init(&tree, memory, size, &config), 0);
    const int status = tool_add_resource(&tool_serve, tree, text);
    check(status == 0 || status == TOOL_USAGE);
    copal_tree_close(tree);
    free(memory);
}

static void take_keys(copal_bytes_t octets)
{
    char name[40];
    uint8_t key[COPAL_KEY_SIZE];
    tool_keys_t *keys;
    const int fd = memfd_create("keys", 0);
    check(fd >= 0 && write(fd, octets.data, octets.size) == (ssize_t)octets.size);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (tool_keys_open(&tool_get, &keys, name) == 0) {
        const copal_bytes_t only = tool_keys_only_identity(keys);
        if (only.size)
            check(tool_keys_find(keys, only, key) > 0);
        check(tool_keys_find(keys, copal_text("a"), key) <= (int)COPAL_KEY_SIZE);
        tool_keys_close(keys);
    }
    close(fd);
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------- */

static void check_harmless(copal_bytes_t printed)
{
    while (printed.size) {
        const bool space = *printed.data == '\n' || *printed.data == '\t';
        const size_t size = space ? 1 : tool_utf8(printed);
        if (!size)
            check_failed_bytes("printed", printed);
        printed.data += size;
        printed.size -= size;
    }
}

static void run(input_t *in, uint32_t which)
{
    const copal_bytes_t rest = {in->at, input_left(in)};
    char *text = text_copy(rest);
    switch (which) {
    case 0:
        show_payload(in);
        break;
    case 1:
        show_table(rest);
        break;
    case 2:
        show_datagram(rest);
        break;
    case 3:
        take_arguments(text);
        break;
    case 4:
        take_uri(text);
        break;
    case 5:
        take_values(text);
        break;
    case 6:
        take_resource(text);
        break;
    default:
        take_keys(rest);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    const uint32_t which = input_below(&in, 8);
    FILE *const streams[] = {stdout, stderr};
    char *printed = NULL;
    size_t printed_size = 0;
    stdout = stderr = open_memstream(&printed, &printed_size);
    check(stdout != NULL);
    run(&in, which);
    fclose(stdout);
    stdout = streams[0];
    stderr = streams[1];
    if (which < 3)
        check_harmless((copal_bytes_t){(uint8_t *)printed, printed_size});
    free(printed);
    return 0;
}

/* A server inside a poll() loop of one's own: what is typed becomes the value of coap://localhost/line; the end of the
 * input ends the program.
 *
 *     $ build/examples/poll
 */
#include "../adapters/poll.h"
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    copal_host_t *host;
    copal_handle_t line;
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : COPAL_PORT;
    copal_value_options_t options = {.content_format = 0, .max_age = -1, .methods = COPAL_METHOD(COPAL_GET)};
    if (copal_host_open(&host, NULL) < 0 || copal_host_listen(host, "::", port, &port) < 0) {
        perror("poll");
        return 1;
    }
    copal_tree_add_value(copal_host_tree(host), "line", copal_text(""), &options, &line);
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);

    struct pollfd fds[1 + COPAL_HOST_DESCRIPTORS] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    for (;;) {
        int timeout = -1;
        nfds_t count = 1 + copal_poll_prepare(host, fds + 1, COPAL_HOST_DESCRIPTORS, &timeout);
        poll(fds, count, timeout);
        if (fds[0].revents) {
            char text[512];
            ssize_t size = read(STDIN_FILENO, text, sizeof text);
            if (size <= 0)
                break;
            copal_bytes_t value = {(const uint8_t *)text, (size_t)size};
            copal_tree_set_value(copal_host_tree(host), line, value);
        }
        copal_poll_serve(host);
    }
    copal_host_close(host);
    return 0;
}

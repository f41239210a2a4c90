/* A server for a directory of files, which says what peers change in it.
 *
 *     $ build/examples/files firmware &
 *     $ build/copal put coap://localhost/files/note.txt hello
 */
#include "copal/directory.h"
#include "copal/host.h"

#include <stdio.h>
#include <stdlib.h>

static void changed(void *user, const copal_directory_change_t *change)
{
    (void)user;
    char address[64];
    copal_peer_to_text(change->peer, address, sizeof address, NULL);
    printf("%s %s by %s: %u.%02u\n", copal_code_text(change->method), change->path, address,
           COPAL_CODE_CLASS(change->code), COPAL_CODE_DETAIL(change->code));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    copal_directory_t *directory;
    uint16_t port = argc > 2 ? (uint16_t)atoi(argv[2]) : COPAL_PORT;
    copal_directory_options_t options = {.write = true, .upload_size = 1 << 20, .changed = changed};
    if (argc < 2) {
        fprintf(stderr, "usage: files DIRECTORY [PORT]\n");
        return 2;
    }
    if (copal_directory_open(&directory, argv[1], &options) != 0) {
        perror(argv[1]);
        return 2;
    }
    if (copal_host_open(&host, NULL) != 0 || copal_directory_add(copal_host_tree(host), "files", directory, NULL) != 0 ||
        copal_host_listen(host, "::", port, &port) != 0) {
        perror("files");
        return 1;
    }
    printf("listening on port %u\n", (unsigned)port);
    fflush(stdout);
    int status = copal_host_run(host);
    copal_host_close(host); /* the host first: it serves from the directory */
    copal_directory_close(directory);
    return status < 0;
}

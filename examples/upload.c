/* Sends a file of any size, in blocks, without having it in memory; says how far it is.
 *
 *     $ build/copal serve --dir firmware --write
 *     $ build/examples/upload firmware.bin coap://localhost/firmware.bin
 */
#include "copal/host.h"

#include <stdio.h>

/* Called for each block when it is sent, and again from any place where the server asks for that. */
static int read_file(void *context, size_t offset, void *out, size_t size)
{
    FILE *file = context;
    return fseek(file, (long)offset, SEEK_SET) == 0 && fread(out, 1, size, file) == size ? 0 : COPAL_ESYSTEM;
}

static void show(copal_task_t *task)
{
    printf("%zu of %zu octets\n", task->transfer.sent, task->transfer.size);
}

static int upload(copal_host_t *host, FILE *file, const char *uri)
{
    fseek(file, 0, SEEK_END);
    copal_ask_t ask = {.uri = uri, .method = COPAL_PUT, .read = read_file, .context = file, .size = (size_t)ftell(file)};
    copal_task_t task = {.progress = show};
    copal_answer_t answer;
    int status = copal_host_stream(host, &ask, &task, &answer);
    if (status < 0) {
        fprintf(stderr, "upload: %s\n", copal_error_text(status));
        return 3;
    }
    printf("%u.%02u\n", COPAL_CODE_CLASS(answer.code), COPAL_CODE_DETAIL(answer.code));
    status = COPAL_CODE_CLASS(answer.code) == 2 ? 0 : 1;
    copal_answer_free(&answer);
    return status;
}

int main(int argc, char **argv)
{
    copal_host_t *host;
    if (argc != 3) {
        fprintf(stderr, "usage: upload FILE coap://HOST/PATH\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "rb");
    if (!file) {
        perror(argv[1]);
        return 2;
    }
    if (copal_host_open(&host, NULL) < 0)
        return 1;
    int status = upload(host, file, argv[2]);
    copal_host_close(host);
    fclose(file);
    return status;
}

/* A GET over DTLS, with a pre-shared key.
 *
 *     $ build/examples/secure_get coaps://localhost/greeting anna first
 *     2.05 hello
 */
#include "copal/host.h"

#include <stdio.h>

static int get(copal_host_t *host, const char *uri, copal_credentials_t *credentials)
{
    copal_answer_t answer;
    int status = copal_host_ask(host, &(copal_ask_t){.uri = uri, .credentials = credentials}, &answer);
    if (status < 0) {
        fprintf(stderr, "%s %s\n", copal_error_text(status), answer.problem);
        return 3;
    }
    printf("%u.%02u %s\n", COPAL_CODE_CLASS(answer.code), COPAL_CODE_DETAIL(answer.code), answer.payload);
    status = COPAL_CODE_CLASS(answer.code) != 2;
    copal_answer_free(&answer);
    return status;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: secure_get URI IDENTITY KEY\n");
        return 2;
    }
    copal_host_t *host;
    copal_credentials_t *credentials;
    char problem[COPAL_PROBLEM_SIZE] = "";
    const copal_credentials_config_t config = {.identity = copal_text(argv[2]), .key = copal_text(argv[3])};
    if (copal_credentials_open(&credentials, &copal_dtls_openssl, &config, problem, sizeof problem) < 0) {
        fprintf(stderr, "%s\n", problem);
        return 2;
    }
    int status = 1;
    if (copal_host_open(&host, &(copal_host_config_t){.dtls = &copal_dtls_openssl}) == 0) {
        status = get(host, argv[1], credentials);
        copal_host_disconnect(host, credentials); /* the server may forget us at once */
        copal_host_close(host);
    }
    copal_credentials_close(credentials);
    return status;
}

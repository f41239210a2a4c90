/* A blocking client: fetches what a URI names.
 *
 *     $ build/examples/get coap://localhost/greeting
 */
#include "copal/host.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    copal_answer_t answer;
    int status = copal_get(argc > 1 ? argv[1] : "coap://localhost/greeting", &answer);
    if (status < 0) {
        fprintf(stderr, "get: %s\n", copal_error_text(status));
        return 3;
    }
    printf("%u.%02u %s\n", COPAL_CODE_CLASS(answer.code), COPAL_CODE_DETAIL(answer.code), answer.payload);
    status = COPAL_CODE_CLASS(answer.code) == 2 ? 0 : 1;
    copal_answer_free(&answer);
    return status;
}

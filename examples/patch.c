/* Patches JSON, without any network: a merge patch (RFC 7396), or a JSON Patch (RFC 6902) where it is an array.
 *
 *     $ build/examples/patch '{"rate": 1, "unit": "s"}' '{"rate": 5, "unit": null}'
 */
#include "copal/patch.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: patch VALUE PATCH\n");
        return 2;
    }
    uint8_t out[1024];
    size_t size = sizeof out;
    uint16_t format = argv[2][0] == '[' ? 51 : 52;
    copal_code_t refused = copal_json_patch(NULL, format, copal_text(argv[1]), copal_text(argv[2]), out, &size);
    if (refused) {
        fprintf(stderr, "patch: %u.%02u %s\n", COPAL_CODE_CLASS(refused), COPAL_CODE_DETAIL(refused),
                copal_code_text(refused));
        return 1;
    }
    printf("%.*s\n", (int)size, (const char *)out);
    return 0;
}

/* Patches of JSON. An outcome fits its room, can be patched again, and is what it is: a patch of nothing changes nothing, and a
 * merge patch that is applied twice changes nothing more. */
#include "common/input.h"
#include "copal/patch.h"
#include "support/check.h"

enum { ROOM = 600, JSON_PATCH = 51, MERGE_PATCH = 52 };

static copal_code_t apply(uint16_t format, copal_bytes_t value, copal_bytes_t patch, uint8_t *out, size_t *size)
{
    const size_t room = *size;
    uint8_t *exact_value = octets_copy(value), *exact_patch = octets_copy(patch), *exact_out = malloc(room ? room : 1);
    const copal_code_t code = copal_json_patch(NULL, format, (copal_bytes_t){exact_value, value.size},
                                               (copal_bytes_t){exact_patch, patch.size}, exact_out, size);
    if (code == 0) {
        check(*size <= room);
        memcpy(out, exact_out, *size);
    } else {
        check(code == COPAL_UNSUPPORTED_CONTENT_FORMAT || code == COPAL_BAD_REQUEST || code == COPAL_CONFLICT ||
              code == COPAL_REQUEST_ENTITY_TOO_LARGE);
    }
    free(exact_value);
    free(exact_patch);
    free(exact_out);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    const uint8_t first = input_octet(&in);
    const uint16_t format = first & 1 ? MERGE_PATCH : JSON_PATCH;
    size_t room = first & 2 ? input_octet(&in) : ROOM;
    const copal_bytes_t value = input_take(&in, input_octet(&in)), patch = {in.at, input_left(&in)};
    uint8_t once[ROOM], again[ROOM];
    if (apply(format, value, patch, once, &room) != 0)
        return 0;
    const copal_bytes_t outcome = {once, room};
    size_t more = ROOM;
    check_equal(apply(JSON_PATCH, outcome, copal_text("[]"), again, &more), 0);
    check_bytes((copal_bytes_t){again, more}, outcome);
    more = ROOM;
    if (format == MERGE_PATCH) {
        check_equal(apply(format, outcome, patch, again, &more), 0);
        check_bytes((copal_bytes_t){again, more}, outcome);
    }
    return 0;
}

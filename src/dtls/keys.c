#include "backend.h"

#include <string.h>

void copal__keys_divide(copal__keys_t *keys, const copal__suite_t *suite, const uint8_t *block)
{
    const uint8_t *ivs = block + 2 * suite->key_size;
    *keys = (copal__keys_t){.suite = suite};
    memcpy(keys->client_key, block, suite->key_size);
    memcpy(keys->server_key, block + suite->key_size, suite->key_size);
    memcpy(keys->client_iv, ivs, suite->iv_size);
    memcpy(keys->server_iv, ivs + suite->iv_size, suite->iv_size);
}

#include "support/bench.h"
#include "support/toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int some_key(void *user, copal_bytes_t identity, uint8_t key[COPAL_KEY_SIZE])
{
    (void)user, (void)identity, (void)key;
    return COPAL_ENOTFOUND;
}

/* What opening says; what was opened is closed. */
static int opening(const copal_credentials_config_t *config, char problem[100])
{
    copal_credentials_t *credentials;
    toy_reset(1);
    int status = copal_credentials_open(&credentials, &toy_dtls, config, problem, 100);
    assert_int_equal(toy.credentials, status == 0);
    if (status == 0)
        copal_credentials_close(credentials);
    assert_int_equal(toy.credentials, 0);
    return status;
}

static void arguments_are_looked_at(void **state)
{
    static const uint8_t octets[COPAL_IDENTITY_SIZE + 1] = {1};
    const copal_bytes_t key = {octets, COPAL_KEY_SIZE}, long_key = {octets, COPAL_KEY_SIZE + 1},
                        identity = {octets, COPAL_IDENTITY_SIZE}, long_identity = {octets, COPAL_IDENTITY_SIZE + 1};
    const struct {
        copal_credentials_config_t config;
        int status;
    } rows[] = {
        {{.server = true, .key = key}, 0},
        {{.server = true, .key = key, .hint = identity}, 0},
        {{.server = true, .find_key = some_key}, 0},
        {{.server = true, .certificate = "file"}, 0},
        {{.server = true, .certificate = "file", .key = key, .authorities = "file"}, 0},
        {{.key = key, .identity = identity}, 0},
        {{.authorities = "file"}, 0},
        {{0}, 0}, /* a client that believes the system's authorities */
        {{.server = true}, COPAL_EINVAL},
        {{.server = true, .authorities = "file"}, COPAL_EINVAL},
        {{.server = true, .key = long_key}, COPAL_EINVAL},
        {{.server = true, .key = key, .hint = long_identity}, COPAL_EINVAL},
        {{.server = true, .key = key, .identity = identity}, COPAL_EINVAL},
        {{.server = true, .certificate = "file", .hint = identity}, COPAL_EINVAL},
        {{.server = true, .key = key, .private_key = "file"}, COPAL_EINVAL},
        {{.key = long_key, .identity = identity}, COPAL_EINVAL},
        {{.key = key, .identity = long_identity}, COPAL_EINVAL},
        {{.key = key}, COPAL_EINVAL},
        {{.identity = identity}, COPAL_EINVAL},
        {{.key = key, .identity = identity, .hint = identity}, COPAL_EINVAL},
        {{.find_key = some_key}, COPAL_EINVAL},
        {{.private_key = "file"}, COPAL_EINVAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char problem[100], note[20];
        snprintf(note, sizeof note, "row %u", (unsigned)i);
        check_note(note);
        check_equal(opening(&rows[i].config, problem), rows[i].status);
        check_equal(strlen(problem) > 0, rows[i].status < 0);
        check_note(NULL);
    }
}

static void the_problem_is_cut_to_its_room(void **state)
{
    copal_credentials_t *credentials;
    const copal_credentials_config_t config = {.server = true};
    char problem[5] = "....";
    (void)state;
    toy_reset(1);
    assert_int_equal(copal_credentials_open(&credentials, &toy_dtls, &config, problem, sizeof problem), COPAL_EINVAL);
    assert_int_equal(strlen(problem), 4);
    assert_int_equal(copal_credentials_open(&credentials, &toy_dtls, &config, NULL, 0), COPAL_EINVAL);
}

static void the_last_holder_closes(void **state)
{
    copal_credentials_t *credentials;
    const copal_credentials_config_t config = {.server = true, .key = copal_text("secret")};
    (void)state;
    toy_reset(1);
    assert_int_equal(copal_credentials_open(&credentials, &toy_dtls, &config, NULL, 0), 0);
    assert_ptr_equal(copal__credentials_hold(credentials), credentials);
    copal_credentials_close(credentials);
    assert_int_equal(toy.credentials, 1);
    copal_credentials_close(credentials);
    assert_int_equal(toy.credentials, 0);
    copal_credentials_close(NULL);
}

static void out_of_memory_leaves_nothing(void **state)
{
    copal_credentials_t *credentials;
    const copal_credentials_config_t config = {.server = true, .key = copal_text("secret")};
    (void)state;
    toy_reset(1);
    toy.is_full = true;
    assert_int_equal(copal_credentials_open(&credentials, &toy_dtls, &config, NULL, 0), COPAL_ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_are_looked_at),
        cmocka_unit_test(the_problem_is_cut_to_its_room),
        cmocka_unit_test(the_last_holder_closes),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

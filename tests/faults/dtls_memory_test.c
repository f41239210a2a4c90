/* DTLS without memory: handshakes fail and are begun anew, and nothing is left of them. */
#define _GNU_SOURCE 1
#define MOMENTS     50u /* handshakes take long, and tens of thousands of allocations */
#include "no_memory.h"

#include "dtls/pair.h"
#include "support/certificates.h"

static const copal_credentials_config_t *config;
static const copal_dtls_backend_t *backend;
static pair_t pair;

/* What the pair has: one kind of credentials for each row. */
static struct {
    copal_credentials_config_t asks, answers;
} kinds[2];
enum { KINDS = sizeof kinds / sizeof *kinds };

static int prepare(void **state)
{
    (void)state;
    const copal_bytes_t key = copal_text("the key");
    certificates_make();
    kinds[0].asks = (copal_credentials_config_t){.key = key, .identity = copal_text("sensor")};
    kinds[0].answers = (copal_credentials_config_t){.server = true, .key = key};
    kinds[1].asks = (copal_credentials_config_t){.authorities = certificates_file("authority")};
    kinds[1].answers = (copal_credentials_config_t){.server = true, .certificate = certificates_file("host")};
    return 0;
}

static int clean(void **state)
{
    (void)state;
    certificates_remove();
    return 0;
}

/* Both libraries may take what they have no memory for as a file that is none, a cipher suite that they do not have,
 * or a certificate that is not to be trusted. */
static const int refused[] = {COPAL_ENOMEM, COPAL_ECERTIFICATE, COPAL_EUNSUPPORTED, 0};
static const int failed[] = {COPAL_ENOMEM, COPAL_EHANDSHAKE, COPAL_ECERTIFICATE, COPAL_ETIMEOUT, 0};

/* ---- credentials ------------------------------------------------------------------------------------------ */

static int open_credentials(void)
{
    char problem[160];
    copal_credentials_t *opened = NULL;
    const int status = copal_credentials_open(&opened, backend, config, problem, sizeof problem);
    enough_memory();
    copal_credentials_close(opened);
    return status;
}

static void credentials_without_memory_are_not_there(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BACKENDS * KINDS * 2; i++) {
        backend = backends[i % BACKENDS];
        config = i / BACKENDS % 2 ? &kinds[i / BACKENDS / 2].asks : &kinds[i / BACKENDS / 2].answers;
        each_without_memory(open_credentials, 1, refused);
    }
}

/* ---- handshakes ------------------------------------------------------------------------------------------- */

/* 0: both are done, and agree. An end that lost what it could not take waits for it to come again. */
static int shake(void)
{
    int status = 0;
    pair.head = pair.tail = 0;
    for (int i = 0; i < ENDS; i++) {
        pair.ends[i].status = COPAL__HANDSHAKE_GOES_ON;
        pair.ends[i].sent = 0;
    }
    pair_shake(&pair, "host.example");
    enough_memory();
    for (int i = 0; i < ENDS; i++) {
        end_t *end = &pair.ends[i];
        if (end->handshake) {
            end->backend->close(end->handshake);
            end->handshake = NULL;
        }
        if (end->status != COPAL__HANDSHAKE_DONE && status == 0)
            status = end->status < 0 ? end->status : COPAL_ETIMEOUT;
    }
    if (status == 0)
        check_agreement(&pair);
    return status;
}

static void a_handshake_without_memory_fails_and_the_next_succeeds(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned i = 0; i < KINDS; i++) {
        pair_make(&pair, client, &kinds[i].asks, server, &kinds[i].answers);
        each_without_memory(shake, 20, failed);
        pair_free(&pair);
    }
}

/* ---- records ---------------------------------------------------------------------------------------------- */

static int open_cipher(void)
{
    void *cipher = backend->cipher_open();
    enough_memory();
    backend->cipher_close(cipher);
    return cipher ? 0 : COPAL_ENOMEM;
}

static void a_filter_without_memory_for_its_cipher_is_not_there(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BACKENDS; i++) {
        backend = backends[i];
        each_without_memory(open_cipher, 1, (const int[]){COPAL_ENOMEM, 0});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_without_memory_are_not_there),
        cmocka_unit_test(a_handshake_without_memory_fails_and_the_next_succeeds),
        cmocka_unit_test(a_filter_without_memory_for_its_cipher_is_not_there),
    };
    return cmocka_run_group_tests(tests, prepare, clean);
}

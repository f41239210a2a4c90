#define _GNU_SOURCE 1
#include "secure.h"

#include "support/certificates.h"

/* ---- one server, asked in several ways --------------------------------------------------------------------------- */

typedef struct {
    copal_credentials_t *theirs, *ours;
    copal_host_t *server, *client;
    uint16_t port;
    int status;
    char problem[COPAL_PROBLEM_SIZE];
} meeting_t;

static const char *file(const char *name)
{
    return name ? certificates_file(name) : NULL;
}

/* NULL: none. */
static void meet(meeting_t *m, const char *certificate, const char *clients_of, const char *believed, const char *shown)
{
    memset(m, 0, sizeof *m);
    m->theirs = credentials_of(&(copal_credentials_config_t){
        .server = true, .certificate = file(certificate), .authorities = file(clients_of)});
    m->ours = credentials_of(&(copal_credentials_config_t){.authorities = file(believed), .certificate = file(shown)});
    m->server = secure_host(NULL, m->theirs, "127.0.0.1", &m->port);
    m->client = secure_client(NULL);
}

static void take_client(meeting_t *m, copal_host_t *client)
{
    copal_host_close(m->client);
    m->client = client;
}

/* Asks for "v" of a host, at 127.0.0.1 whatever its name is. */
static void ask_host(meeting_t *m, const char *host)
{
    char uri[300];
    copal_answer_t answer;
    const copal_peer_t to = wire_peer("127.0.0.1", m->port);
    snprintf(uri, sizeof uri, "coaps://%s/v", host);
    m->status = copal_host_ask(m->client, &(copal_ask_t){.uri = uri, .to = &to, .credentials = m->ours}, &answer);
    snprintf(m->problem, sizeof m->problem, "%s", answer.problem);
    if (m->status == 0)
        assert_string_equal((char *)answer.payload, "hello");
    copal_answer_free(&answer);
}

static void part(meeting_t *m)
{
    copal_host_close(m->client);
    copal_host_close(m->server);
    copal_credentials_close(m->ours);
    copal_credentials_close(m->theirs);
}

/* ---- the server's ------------------------------------------------------------------------------------------------- */

static void rfc7252_9_1_3_3_a_certificate_must_be_for_the_host_of_the_uri(void **state)
{
    static const struct {
        const char *certificate, *host;
        bool good;
    } ways[] = {
        {"host", "host.example", true},     {"host", "HOST.example", true},
        {"host", "127.0.0.1", true},        {"host", "[::1]", true},
        {"chain", "host.example", true},    {"rsa", "host.example", true},
        {"wildcard", "any.example", false}, {"host", "another.example", false},
        {"host", "127.0.0.2", false},       {"host", "localhost", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        meeting_t m;
        meet(&m, ways[i].certificate, NULL, "authority", NULL);
        ask_host(&m, ways[i].host);
        assert_int_equal(m.status, ways[i].good ? 0 : COPAL_ECERTIFICATE);
        assert_true(ways[i].good == (*m.problem == 0));
        part(&m);
    }
}

static void what_is_wrong_with_a_certificate_is_said(void **state)
{
    static const struct {
        const char *certificate, *said;
    } ways[] = {{"expired", "expired"}, {"future", "not valid yet"}, {"stranger", "authorit"}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        meeting_t m;
        meet(&m, ways[i].certificate, NULL, "authority", NULL);
        ask_host(&m, "host.example");
        assert_int_equal(m.status, COPAL_ECERTIFICATE);
        if (!strstr(m.problem, ways[i].said))
            fail_msg("%s: %s", ways[i].certificate, m.problem);
        part(&m);
    }
}

static void the_same_address_by_another_name_is_another_session(void **state)
{
    meeting_t m;
    (void)state;
    meet(&m, "host", NULL, "authority", NULL);
    ask_host(&m, "host.example");
    assert_int_equal(m.status, 0);
    ask_host(&m, "another.example");
    assert_int_equal(m.status, COPAL_ECERTIFICATE);
    ask_host(&m, "host.example");
    assert_int_equal(m.status, 0);
    part(&m);
}

/* ---- the client's --------------------------------------------------------------------------------------------------- */

static void a_server_that_believes_authorities_wants_a_certificate_of_theirs(void **state)
{
    static const struct {
        const char *shown;
        int status;
    } ways[] = {{"client", 0}, {NULL, COPAL_EHANDSHAKE}, {"stranger", COPAL_EHANDSHAKE}};
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        meeting_t m;
        meet(&m, "host", "authority", "authority", ways[i].shown);
        if (ways[i].status != 0)
            take_client(&m, hasty_client());
        ask_host(&m, "host.example");
        assert_int_equal(m.status, ways[i].status);
        part(&m);
    }
}

static void cve_2020_27222_2022_39368_handshakes_that_fail_do_not_spoil_the_next(void **state)
{
    meeting_t m;
    (void)state;
    meet(&m, "host", "authority", "authority", "client");
    copal_credentials_t *good = m.ours;
    copal_credentials_t *bad[] = {
        client_key("secret", "somebody"), /* no suite in common */
        credentials_of(&(copal_credentials_config_t){.authorities = file("authority")}),
        credentials_of(&(copal_credentials_config_t){.authorities = file("stranger"), .certificate = file("client")}),
    };
    take_client(&m, hasty_client());
    for (unsigned i = 0; i < 12; i++) {
        m.ours = bad[i % 3];
        ask_host(&m, "host.example");
        assert_true(m.status == COPAL_EHANDSHAKE || m.status == COPAL_ECERTIFICATE);
    }
    take_client(&m, secure_client(NULL));
    m.ours = good;
    ask_host(&m, "host.example");
    assert_int_equal(m.status, 0);
    part(&m);
    for (unsigned i = 0; i < 3; i++)
        copal_credentials_close(bad[i]);
}

static int make(void **state)
{
    (void)state;
    return certificates_make() ? 0 : -1;
}

static int clear(void **state)
{
    (void)state;
    certificates_remove();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc7252_9_1_3_3_a_certificate_must_be_for_the_host_of_the_uri),
        cmocka_unit_test(what_is_wrong_with_a_certificate_is_said),
        cmocka_unit_test(the_same_address_by_another_name_is_another_session),
        cmocka_unit_test(a_server_that_believes_authorities_wants_a_certificate_of_theirs),
        cmocka_unit_test(cve_2020_27222_2022_39368_handshakes_that_fail_do_not_spoil_the_next),
    };
    return cmocka_run_group_tests(tests, make, clear);
}

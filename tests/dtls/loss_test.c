#include "pair.h"

#include "support/random.h"

/* Handshakes over a wire that loses, doubles and damages datagrams (RFC 6347 section 4.2.4), each backend with each. */

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const copal_credentials_config_t client_config = {.key = TEXT("the key"), .identity = TEXT("sensor")};
static const copal_credentials_config_t server_config = {.server = true, .key = TEXT("the key")};

static void make_hurried(pair_t *pair, const copal_dtls_backend_t *client, const copal_dtls_backend_t *server)
{
    pair_make(pair, client, &client_config, server, &server_config);
    pair->hurry = true;
}

/* ---- one is lost ---- */

typedef struct {
    unsigned end, number; /* the datagram that is lost: whose, and the how-many-eth */
    unsigned sent;
} lost_t;

static unsigned lose_one(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    lost_t *lost = pair->context;
    (void)datagram;
    return from != &pair->ends[lost->end] || ++lost->sent != lost->number;
}

static void any_one_datagram_may_be_lost(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (unsigned end = 0; end < ENDS; end++)
        for (unsigned sent = 1, number = 1; number <= sent; number++) {
            pair_t pair;
            lost_t lost = {end, number, 0};
            make_hurried(&pair, client, server);
            pair.fate = lose_one;
            pair.context = &lost;
            pair_shake(&pair, NULL);
            check_agreement(&pair);
            if (number == 1)
                sent = pair.ends[end].sent;
            pair_free(&pair);
        }
}

/* ---- each comes twice ---- */

static unsigned twice(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    (void)pair, (void)from, (void)datagram;
    return 2;
}

static void every_datagram_may_come_twice(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    {
        pair_t pair;
        make_hurried(&pair, client, server);
        pair.fate = twice;
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        pair_free(&pair);
    }
}

/* ---- chance ---- */

static unsigned by_chance(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    (void)from, (void)datagram;
    uint32_t drawn = random_below(pair->context, 10);
    return drawn < 3 ? 0 : drawn < 5 ? 2 : 1;
}

static void handshakes_end_well_where_a_third_is_lost_and_a_fifth_doubled(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (uint64_t seed = 1; seed <= 5; seed++) {
        pair_t pair;
        random_t random = random_from(seed);
        make_hurried(&pair, client, server);
        pair.fate = by_chance;
        pair.context = &random;
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        pair_free(&pair);
    }
}

/* ---- what is no record ---- */

static unsigned after_noise(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    const end_t *to = from == &pair->ends[CLIENT] ? &pair->ends[SERVER] : &pair->ends[CLIENT];
    random_t *random = pair->context;
    datagram_t noise = {.to = datagram->to, .size = 1 + random_below(random, 200)};
    random_fill(random, noise.data, noise.size);
    noise.data[0] |= 0x80; /* of no content type */
    if (to->handshake)
        pair->queue[pair->tail++ % DATAGRAMS] = noise;
    return 1;
}

/* RFC 6347 section 4.1.2.7: "invalid records SHOULD be silently discarded". */
static void rfc6347_4_1_2_7_noise_is_dropped_silently(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (uint64_t seed = 1; seed <= 5; seed++) {
        pair_t pair;
        random_t random = random_from(seed);
        make_hurried(&pair, client, server);
        pair.fate = after_noise;
        pair.context = &random;
        pair_shake(&pair, NULL);
        check_agreement(&pair);
        pair_free(&pair);
    }
}

static unsigned damaged(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    random_t *random = pair->context;
    datagram_t bad = *datagram;
    bool hello = from == &pair->ends[CLIENT] && cookie_at(datagram);
    if (hello || random_below(random, 4) != 0) /* damaged hellos do not pass the filter */
        return 1;
    for (uint32_t flips = 1 + random_below(random, 3); flips; flips--)
        bad.data[random_below(random, (uint32_t)bad.size)] ^= (uint8_t)(1u << random_below(random, 8));
    if (random_below(random, 4) == 0)
        bad.size = 1 + random_below(random, (uint32_t)bad.size);
    pair->queue[pair->tail++ % DATAGRAMS] = bad;
    return 0;
}

/* What was damaged may end a handshake whose records nothing protects yet; the sanitizers say whether it did more. */
static void damaged_datagrams_end_handshakes_well_or_with_an_error(void **state)
{
    (void)state;
    EACH_PAIR(client, server)
    for (uint64_t seed = 1; seed <= 100; seed++) {
        pair_t pair;
        random_t random = random_from(seed);
        pair_make(&pair, client, &client_config, server, &server_config);
        pair.fate = damaged;
        pair.context = &random;
        pair_shake(&pair, NULL);
        for (int end = 0; end < ENDS; end++)
            check(pair.ends[end].status >= 0 || pair.ends[end].status == COPAL_EHANDSHAKE);
        if (pair_settled(&pair) && pair.ends[CLIENT].status == 0 && pair.ends[SERVER].status == 0)
            check_agreement(&pair);
        pair_free(&pair);
    }
}

/* ---- nobody is there ---- */

static unsigned none(pair_t *pair, const end_t *from, const datagram_t *datagram)
{
    (void)pair, (void)from, (void)datagram;
    return 0;
}

static void a_client_whom_nobody_answers_asks_again_and_then_gives_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < BACKENDS; i++) {
        pair_t pair;
        make_hurried(&pair, backends[i], backends[i]);
        pair.fate = none;
        pair_shake(&pair, NULL);
        check_equal(pair.ends[CLIENT].status, COPAL_EHANDSHAKE);
        check(pair.ends[CLIENT].sent > 3);
        assert_string_equal(pair.ends[CLIENT].reason, "the other end has stopped answering");
        pair_free(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_one_datagram_may_be_lost),
        cmocka_unit_test(every_datagram_may_come_twice),
        cmocka_unit_test(handshakes_end_well_where_a_third_is_lost_and_a_fifth_doubled),
        cmocka_unit_test(rfc6347_4_1_2_7_noise_is_dropped_silently),
        cmocka_unit_test(damaged_datagrams_end_handshakes_well_or_with_an_error),
        cmocka_unit_test(a_client_whom_nobody_answers_asks_again_and_then_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

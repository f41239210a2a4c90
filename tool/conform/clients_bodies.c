/* Requests that follow one another, played with a client: bodies in blocks (RFC 7959), Echo (RFC 9175), and meanwhile when the
 * client sends what was lost again (RFC 7252 section 4.2), and what it says to a copy (section 4.5). */
#include "conform.h"

#include <string.h>

enum { SZX = 2, BLOCK = 64, BLOCKS = 4, BODY = BLOCKS * BLOCK, REPEATED = 2 * BLOCK, SMALLER = 4 /* of 256 octets */ };
enum { RESTARTS = 3, REPLIES = 3 };
enum { SOON = 300, REPLY = 2000, PATIENCE = 10 * 1000 }; /* milliseconds */
enum { EARLIEST = 1900, LATEST = 5000, SAME = 50, ALIKE = 9 }; /* of lose_each; the last is a count */
enum { FIRST = 1, TAKEN, COPY }; /* steps of repeat_response */

static bool find_block(const copal_message_t *came, uint16_t number, copal_block_t *block)
{
    copal_option_t option;
    *block = (copal_block_t){.szx = SZX};
    return copal_option_find(came, number, &option) && copal_block_decode(block, copal_option_uint(&option)) == 0;
}

/** An answer in the acknowledgement of a CON, in a NON to a NON. */
static void begin_answer(conform_t *c, conform_ask_t *answer, const copal_message_t *came, copal_code_t code)
{
    conform_answer(c, answer, came, came->type == COPAL_CON ? COPAL_ACK : COPAL_NON, code);
    conform_due_in(c, PATIENCE);
}

/** Whether it is the latest request once more, which is answered as before. */
static bool is_copy(const conform_t *c, const copal_message_t *came)
{
    return c->step && came->id == c->sent && conform_same(came->token, c->request.token);
}

/** Sends an answer with a block of a body of so many octets, no larger than the server likes them. Returns its size. */
static size_t send_block(conform_t *c, conform_ask_t *answer, copal_block_t block, size_t body)
{
    uint8_t octets[BLOCK];
    if (block.szx > SZX)
        block.szx = SZX;
    size_t size = (size_t)16 << block.szx, from = block.number * size;
    block.more = from + size < body;
    memset(octets, (int)('a' + from / BLOCK % BLOCKS), sizeof octets);
    conform_option(answer, COPAL_OPTION_ETAG, copal_text("1"));
    conform_uint(answer, COPAL_OPTION_BLOCK2, copal_block_encode(&block));
    answer->payload = (copal_bytes_t){octets, size};
    conform_send_ask(c, answer);
    return size;
}

/** What is wrong with a request for the block that begins at octet `c->received`; NULL: nothing. The first request that names
 *  a size may be a later one (RFC 7959 section 2.4); what it was answered with counts from then on. */
static const char *wrong_request(const conform_t *c, const copal_message_t *came, const copal_block_t *block)
{
    size_t size = (size_t)16 << block->szx;
    if (c->step && came->id == c->sent)
        return "the message ID of a request was used for another";
    if (block->number * size != c->received)
        return "the block that was asked for does not follow the one before";
    if (c->block && size != c->block)
        return "the block that was asked for is not of the size that was agreed on";
    return block->more ? "the M bit of a request for a block is not zero" : NULL;
}

/** Hands out a body of four blocks. What is judged is how they are asked for. */
static void hand_out(conform_t *c, const copal_message_t *came)
{
    copal_block_t block;
    conform_ask_t answer;
    if (!came) {
        conform_fail(c, "%zu octets were asked for, of %d", c->received, BODY);
        return;
    }
    if (!conform_is_request(came))
        return;
    bool named = find_block(came, COPAL_OPTION_BLOCK2, &block);
    begin_answer(c, &answer, came, COPAL_CONTENT);
    if (is_copy(c, came)) {
        send_block(c, &answer, block, BODY);
        return;
    }
    if (!block.number && c->tries++ < RESTARTS)
        c->received = c->block = 0; /* who did not ask for blocks may begin anew with a Block2 option */
    const char *wrong = wrong_request(c, came, &block);
    if (wrong)
        conform_fail(c, "%s", wrong);
    size_t size = send_block(c, &answer, block, BODY);
    if (named && !c->block)
        c->block = size;
    c->received += size;
    c->request = *came;
    c->sent = came->id;
    c->step = 1;
    if (c->received >= BODY && c->verdict == VERDICT_NONE)
        c->verdict = VERDICT_PASSED;
}

/** How many of the times are as near as SAME to each other, at most. */
static unsigned most_alike(const conform_t *c)
{
    unsigned most = 0;
    for (size_t i = 0; i < CONFORM_TIMED; i++) {
        unsigned alike = 0;
        for (size_t j = 0; j < CONFORM_TIMED; j++)
            alike += c->took[j] >= c->took[i] && c->took[j] - c->took[i] < SAME;
        most = alike > most ? alike : most;
    }
    return most;
}

/** Notes how long it took until a request came again. Of twelve times that are drawn evenly from a second, nine are within
 * SAME once in ten million runs; of times that are the same, a busy machine may make three others. */
static void measure(conform_t *c, int64_t took)
{
    c->took[c->tries++] = took;
    if (took < EARLIEST)
        conform_fail(c, "it was sent again after %.1f s, not after 2 to 3 s", (double)took / 1000);
    if (c->tries < CONFORM_TIMED)
        return;
    if (most_alike(c) >= ALIKE)
        conform_fail(c, "of %d requests %u were first sent again after nearly the same time, which is not random",
                     CONFORM_TIMED, most_alike(c));
    if (c->verdict == VERDICT_NONE)
        c->verdict = VERDICT_PASSED;
}

/** Hands out a body of twelve blocks, of which each has to be asked for twice: what came first is as good as lost. */
static void lose_each(conform_t *c, const copal_message_t *came)
{
    copal_block_t block;
    conform_ask_t answer;
    if (!came) {
        conform_fail(c, "a request was not sent again in time, or no other came");
    } else if (!conform_is_request(came)) {
        return;
    } else if (came->type != COPAL_CON) {
        conform_not_applicable(c, "the request is not Confirmable");
    } else if (!is_copy(c, came)) {
        c->request = *came;
        c->sent = came->id;
        c->second = c->last->at;
        c->step = FIRST;
        conform_due_in(c, LATEST);
    } else {
        if (c->step == FIRST)
            measure(c, c->last->at - c->second);
        c->step = TAKEN;
        find_block(came, COPAL_OPTION_BLOCK2, &block);
        begin_answer(c, &answer, came, COPAL_CONTENT);
        send_block(c, &answer, block, CONFORM_TIMED * BLOCK);
    }
}

/** Sends a Confirmable message of ours again, which has to be in the log. */
static void send_again(conform_t *c, uint16_t id)
{
    const conform_datagram_t *d = c->log;
    while (!d->outgoing || (d->octets[0] >> 4 & 3) != COPAL_CON || (d->octets[2] << 8 | d->octets[3]) != id)
        d = d->next;
    conform_send(c, (copal_bytes_t){d->octets, d->size});
}

/** Sends the first block, or the same again. */
static void send_first(conform_t *c)
{
    conform_ask_t answer;
    conform_due_in(c, REPLY);
    if (c->tries++ || c->step == COPY) {
        send_again(c, c->sent);
        return;
    }
    conform_answer(c, &answer, &c->request, COPAL_CON, COPAL_CONTENT);
    c->sent = answer.id;
    send_block(c, &answer, (copal_block_t){.szx = SZX}, REPEATED);
}

static void take_request(conform_t *c, const copal_message_t *came)
{
    copal_block_t block;
    if (c->step && came->id == c->request.id)
        return;
    if (came->type == COPAL_CON)
        conform_send_empty(c, COPAL_ACK, came->id);
    find_block(came, COPAL_OPTION_BLOCK2, &block);
    bool sent = c->step > FIRST || (c->step == FIRST && c->tries);
    c->request = *came;
    c->tries = 0;
    c->step = block.number && sent ? COPY : FIRST;
    conform_due_in(c, SOON);
}

/** The client has said something to the first block. */
static void take_reply(conform_t *c, const copal_message_t *came)
{
    conform_ask_t answer;
    copal_block_t block;
    if (came->type == COPAL_RST) {
        conform_fail(c, "%s was rejected by a Reset", c->step == COPY ? "a copy of a response" : "a response");
    } else if (c->step == FIRST) {
        c->step = TAKEN;
        conform_due_in(c, PATIENCE);
    } else if (c->step == COPY && c->tries) {
        find_block(&c->request, COPAL_OPTION_BLOCK2, &block);
        conform_answer(c, &answer, &c->request, COPAL_CON, COPAL_CONTENT);
        send_block(c, &answer, block, REPEATED);
        c->verdict = VERDICT_PASSED;
    }
}

/** A body of two blocks. The first comes in a separate response, and again when the client has acknowledged it and asks for
 *  the second: the acknowledgement may have been lost. */
static void repeat_response(conform_t *c, const copal_message_t *came)
{
    if (came && conform_is_request(came))
        take_request(c, came);
    else if (came && came->id == c->sent)
        take_reply(c, came);
    else if (!came && c->step == TAKEN)
        conform_not_applicable(c, "the second block was not asked for");
    else if (!came && c->tries == REPLIES)
        conform_fail(c, "%s was not acknowledged", c->step == COPY ? "a copy of a response" : "a response");
    else if (!came)
        send_first(c);
}

/** What is wrong with a block of an upload that begins at octet `c->received`; NULL: nothing. */
static const char *wrong_block(const conform_t *c, const copal_message_t *came, const copal_block_t *block)
{
    size_t size = (size_t)16 << block->szx;
    if (block->number * size != c->received)
        return "a block came that does not follow the one before";
    if (block->more ? came->payload.size != size : came->payload.size > size)
        return "a block is not of the size that it says";
    if (c->step && c->subject->level == CONFORM_SHOULD && block->szx > SMALLER)
        return "a block is larger than the server prefers";
    return NULL;
}

/** Takes a body in blocks; where it is about what SHOULD be, the server prefers smaller ones than it is sent. */
static void take_in(conform_t *c, const copal_message_t *came)
{
    copal_block_t block;
    conform_ask_t answer;
    if (!came) {
        conform_fail(c, "the body did not go on");
        return;
    }
    if (!conform_is_request(came))
        return;
    if (!find_block(came, COPAL_OPTION_BLOCK1, &block) || (!c->step && !block.more)) {
        conform_not_applicable(c, "it was not sent in blocks");
        begin_answer(c, &answer, came, COPAL_CHANGED);
        conform_send_ask(c, &answer);
        return;
    }
    if (!is_copy(c, came)) {
        const char *wrong = wrong_block(c, came, &block);
        if (wrong)
            conform_fail(c, "%s", wrong);
        c->received += came->payload.size;
        c->request = *came;
        c->sent = came->id;
        c->step++;
    }
    begin_answer(c, &answer, came, block.more ? COPAL_CONTINUE : COPAL_CHANGED);
    if (c->subject->level == CONFORM_SHOULD && block.szx > SMALLER)
        block.szx = SMALLER;
    conform_uint(&answer, COPAL_OPTION_BLOCK1, copal_block_encode(&block));
    conform_send_ask(c, &answer);
    if (!block.more && c->verdict == VERDICT_NONE)
        c->verdict = VERDICT_PASSED;
}

/** The same, of which all parts have one Request-Tag, or none. */
static void take_in_tagged(conform_t *c, const copal_message_t *came)
{
    copal_option_t before = {0}, now = {0};
    if (came && conform_is_request(came) && c->step && !is_copy(c, came)) {
        bool had = copal_option_find(&c->request, COPAL_OPTION_REQUEST_TAG, &before);
        bool has = copal_option_find(came, COPAL_OPTION_REQUEST_TAG, &now);
        if (has != had || (has && !conform_same(before.value, now.value)))
            conform_fail(c, "the Request-Tag of a block is not that of the one before");
    }
    take_in(c, came);
}

/** Challenges the first request, and wants another with the same Echo value. */
static void challenge(conform_t *c, const copal_message_t *came)
{
    conform_ask_t answer;
    copal_option_t echo;
    if (!came) {
        conform_fail(c, "the request was not sent again with the Echo option");
        return;
    }
    if (!conform_is_request(came))
        return;
    if (c->step && !is_copy(c, came)) {
        if (!copal_option_find(came, COPAL_OPTION_ECHO, &echo) || !conform_same(echo.value, copal_text("challenge")))
            conform_fail(c, "the request came without the Echo value that it was answered with");
        c->request = *came;
        conform_conclude(c, came->type == COPAL_CON ? COPAL_ACK : COPAL_NON);
        return;
    }
    c->step = 1;
    c->sent = came->id;
    begin_answer(c, &answer, came, COPAL_UNAUTHORIZED);
    conform_option(&answer, COPAL_OPTION_ECHO, copal_text("challenge"));
    conform_send_ask(c, &answer);
}

static const conform_case_t cases[] = {
    {.name = "rfc7252_4.2_first_time_out_is_random", .path = "random", .task = "GET its 768 octets", .play = lose_each,
     .says = "\"For a new Confirmable message, the initial timeout is set to a random duration\" between 2 and 3 s."},
    {.name = "rfc7252_4.5_copy_of_a_response_is_acknowledged_again", .path = "copy", .task = "GET its 128 octets",
     .play = repeat_response,
     .says = "Each copy of a Confirmable message is acknowledged, and its content is processed once."},
    {.name = "rfc7959_2.3_blocks_of_an_upload_follow_one_another", .path = "upload", .task = "PUT 4 KB",
     .play = take_in,
     .says = "A block begins at its number times its size, and all but the last have that size exactly."},
    {.name = "rfc7959_2.3_blocks_are_no_larger_than_the_server_prefers", .path = "smaller", .task = "PUT 4 KB",
     .play = take_in, .level = CONFORM_SHOULD,
     .says = "The client SHOULD go on with the size that the server's Block1 option gives, or a smaller one, and scale "
             "the number of the next block."},
    {.name = "rfc7959_2.4_blocks_are_asked_for_in_the_size_that_was_agreed_on", .path = "blocks",
     .task = "GET its 256 octets", .play = hand_out,
     .says = "Further requests MUST indicate the block size that the first to name one was answered with, and an M bit "
             "of zero; each exchange has a message ID of its own."},
    {.name = "rfc9175_3.4_request_tag_is_the_same_in_all_blocks", .path = "tagged", .task = "PUT 4 KB",
     .play = take_in_tagged,
     .says = "Request-Tag has one value, or is not set, in all messages of an operation."},
    {.name = "rfc9175_2.3_echo_value_is_repeated", .path = "echo", .task = "GET it", .play = challenge,
     .level = CONFORM_SHOULD,
     .says = "A client that is answered with 4.01 and an Echo option sends the request again with that value."},
};

const conform_suite_t conform_clients_bodies = {cases, sizeof cases / sizeof cases[0]};

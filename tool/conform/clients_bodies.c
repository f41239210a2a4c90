/* Requests that follow one another, played with a client: bodies in blocks (RFC 7959), Echo (RFC 9175). */
#include "conform.h"

#include <string.h>

enum { SZX = 2, BLOCK = 64, BLOCKS = 4, SMALLER = 4 /* of 256 octets */, RESTARTS = 3, PATIENCE = 10 * 1000 };

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

/** Whether this is the next request; one that comes again is answered as before, and waits for nothing. */
static bool is_copy(const conform_t *c, const copal_message_t *came)
{
    return c->step && came->id == c->sent && conform_same(came->token, c->request.token);
}

static void send_block(conform_t *c, const copal_message_t *came, uint32_t number)
{
    uint8_t octets[BLOCK];
    conform_ask_t answer;
    copal_block_t block = {.number = number, .more = number + 1 < BLOCKS, .szx = SZX};
    memset(octets, (int)('a' + number), sizeof octets);
    begin_answer(c, &answer, came, COPAL_CONTENT);
    conform_option(&answer, COPAL_OPTION_ETAG, copal_text("1"));
    conform_uint(&answer, COPAL_OPTION_BLOCK2, copal_block_encode(&block));
    answer.payload = (copal_bytes_t){octets, sizeof octets};
    conform_send_ask(c, &answer);
}

/** Hands out a body of four blocks. What is judged is how they are asked for. */
static void hand_out(conform_t *c, const copal_message_t *came)
{
    copal_block_t block;
    if (!came) {
        conform_fail(c, "block %d was not asked for", c->step);
        return;
    }
    if (!conform_is_request(came))
        return;
    find_block(came, COPAL_OPTION_BLOCK2, &block);
    if (is_copy(c, came)) {
        send_block(c, came, block.number);
        return;
    }
    if (!block.number && c->tries++ < RESTARTS)
        c->step = 0; /* a client may begin with what came unasked for, or anew with a Block2 option of its own */
    uint32_t next = (uint32_t)c->step;
    if (next && came->id == c->sent)
        conform_fail(c, "the message ID %u was used for two requests", (unsigned)came->id);
    else if (block.szx < SZX)
        conform_not_applicable(c, "it asks for blocks of less than %d octets", BLOCK);
    else if (next && (block.number != next || block.szx != SZX))
        conform_fail(c, "block %u of %u octets was asked for, not block %u of %d", (unsigned)block.number,
                     16u << block.szx, (unsigned)next, BLOCK);
    else if (next && block.more)
        conform_fail(c, "the M bit of a request for a block is not zero");
    send_block(c, came, next);
    c->request = *came;
    c->sent = came->id;
    if (++c->step == BLOCKS && c->verdict == VERDICT_NONE)
        c->verdict = VERDICT_PASSED;
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
    {.name = "rfc7959_2.3_blocks_of_an_upload_follow_one_another", .path = "upload", .task = "PUT 4 KB", .play = take_in,
     .says = "A block begins at its number times its size, and all but the last have that size exactly."},
    {.name = "rfc7959_2.3_blocks_are_no_larger_than_the_server_prefers", .path = "smaller", .task = "PUT 4 KB",
     .play = take_in, .level = CONFORM_SHOULD,
     .says = "The client SHOULD go on with the size that the server's Block1 option gives, or a smaller one, and scale the "
             "number of the next block."},
    {.name = "rfc7959_2.4_blocks_are_asked_for_in_the_size_of_the_first", .path = "blocks", .task = "GET its 256 octets",
     .play = hand_out, .says = "Further requests MUST indicate the block size of the first response, with an M bit of zero; "
                               "each exchange has a message ID of its own."},
    {.name = "rfc9175_2.3_echo_value_is_repeated", .path = "echo", .task = "GET it", .play = challenge,
     .level = CONFORM_SHOULD,
     .says = "A client that is answered with 4.01 and an Echo option sends the request again with that value."},
};

const conform_suite_t conform_clients_bodies = {cases, sizeof cases / sizeof cases[0]};

/* RFC 7959: bodies in blocks. */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

enum { COMPARED = 2048 }; /* octets of a body that are looked at */

static bool find_block(const copal_message_t *message, uint16_t number, copal_block_t *block)
{
    copal_option_t option;
    return copal_option_find(message, number, &option) && copal_block_decode(block, copal_option_uint(&option)) == 0;
}

/** A block of the large resource. A server that knows no blocks refuses them, as an unknown critical option. */
static bool get_block(conform_t *c, copal_block_t wanted, copal_message_t *answer, copal_block_t *block)
{
    conform_ask_t ask;
    *block = (copal_block_t){0};
    conform_ask(c, &ask, COPAL_GET, ROLE_LARGE);
    conform_uint(&ask, COPAL_OPTION_BLOCK2, copal_block_encode(&wanted));
    if (!conform_exchange(c, &ask, answer))
        return false;
    if (answer->code == COPAL_BAD_OPTION)
        return conform_not_applicable(c, "it does not know Block2");
    return conform_expect_code(c, answer, COPAL_CONTENT) &&
           (find_block(answer, COPAL_OPTION_BLOCK2, block) || conform_fail(c, "the answer has no Block2"));
}

/** What holds of each block (sections 2.2 to 2.4). */
static bool is_right(conform_t *c, const copal_block_t *wanted, const copal_block_t *block, size_t size)
{
    if (block->number != wanted->number)
        return conform_fail(c, "block %u came, not %u", block->number, wanted->number);
    if (block->szx > wanted->szx)
        return conform_fail(c, "the block is larger than was asked for");
    if (block->more ? size != 16u << block->szx : size > 16u << block->szx)
        return conform_fail(c, "a block of %u octets holds %zu", 16u << block->szx, size);
    return true;
}

static bool no_larger(conform_t *c)
{
    for (uint8_t szx = 0; szx <= 6; szx++) {
        copal_block_t wanted = {.szx = szx}, block;
        copal_message_t answer;
        if (!get_block(c, wanted, &answer, &block) || !is_right(c, &wanted, &block, answer.payload.size))
            return false;
    }
    return true;
}

/** Gathers the body in blocks of `szx`, as far as COMPARED. `formats`, `tags`: each block's has to be the first's. */
static bool gather(conform_t *c, uint8_t szx, uint8_t *body, size_t *size, bool *tagged)
{
    copal_message_t first = {0}, answer;
    copal_block_t block, wanted = {.szx = szx};
    copal_option_t tag;
    *size = 0;
    *tagged = true;
    do {
        if (!get_block(c, wanted, &answer, &block) || !is_right(c, &wanted, &block, answer.payload.size))
            return false;
        if (*size && block.szx != wanted.szx)
            return conform_fail(c, "the size of the blocks changes on the way");
        if (*size && !conform_same_format(&first, &answer))
            return conform_fail(c, "the Content-Format changes on the way");
        first = *size ? first : answer;
        *tagged = *tagged && copal_option_find(&answer, COPAL_OPTION_ETAG, &tag);
        if (answer.payload.size)
            memcpy(body + *size, answer.payload.data, answer.payload.size);
        *size += answer.payload.size;
        wanted = (copal_block_t){.number = block.number + 1, .szx = block.szx};
    } while (block.more && *size <= COMPARED - 1024);
    return true;
}

static bool same_body(conform_t *c)
{
    uint8_t small[COMPARED], large[COMPARED];
    size_t small_size, large_size;
    bool tagged;
    if (!gather(c, 1, small, &small_size, &tagged) || !gather(c, 3, large, &large_size, &tagged))
        return false;
    size_t both = small_size < large_size ? small_size : large_size;
    return memcmp(small, large, both) == 0 || conform_fail(c, "the body is another one in blocks of another size");
}

static bool has_tag(conform_t *c)
{
    uint8_t body[COMPARED];
    size_t size;
    bool tagged;
    return gather(c, 2, body, &size, &tagged) && (tagged || conform_fail(c, "a block has no ETag"));
}

/** The M bit of a Block2 in a request says nothing. */
static bool more_is_ignored(conform_t *c)
{
    copal_block_t wanted = {.more = true, .szx = 2}, block;
    copal_message_t answer;
    return get_block(c, wanted, &answer, &block) && is_right(c, &wanted, &block, answer.payload.size);
}

static bool reserved_size(conform_t *c, uint16_t number, copal_code_t code, conform_role_t role)
{
    conform_ask_t ask;
    copal_message_t answer;
    conform_ask(c, &ask, code, role);
    conform_uint(&ask, number, 7);
    if (code == COPAL_PUT)
        ask.payload = copal_text("one");
    if (!conform_exchange(c, &ask, &answer))
        return false;
    if (answer.code == COPAL_BAD_OPTION)
        return conform_not_applicable(c, "it does not know %s", copal_option_text(number));
    return conform_expect_code(c, &answer, COPAL_BAD_REQUEST);
}

static bool reserved_block2(conform_t *c)
{
    return reserved_size(c, COPAL_OPTION_BLOCK2, COPAL_GET, ROLE_LARGE);
}

static bool reserved_block1(conform_t *c)
{
    return reserved_size(c, COPAL_OPTION_BLOCK1, COPAL_PUT, ROLE_PUT);
}

/* ---- Block1 -------------------------------------------------------------------------------------------------------- */

/** Sends a block of 16 octets, the text of the letter, to the resource that is written to. */
static bool put_block(conform_t *c, uint32_t number, bool more, uint16_t format, copal_message_t *answer)
{
    static const char text[] = "sixteen octets! ";
    copal_block_t block = {.number = number, .more = more};
    conform_ask_t ask;
    conform_ask(c, &ask, COPAL_PUT, ROLE_PUT);
    conform_uint(&ask, COPAL_OPTION_CONTENT_FORMAT, format);
    conform_uint(&ask, COPAL_OPTION_BLOCK1, copal_block_encode(&block));
    ask.payload = copal_text(text);
    return conform_exchange(c, &ask, answer);
}

/** The first of several; a server that takes none says so. */
static bool put_first(conform_t *c, copal_message_t *answer)
{
    char text[CONFORM_TEXT];
    if (!conform_put(c, "one") || !put_block(c, 0, true, 0, answer))
        return false;
    return answer->code == COPAL_CONTINUE || COPAL_CODE_CLASS(answer->code) == 2 ||
           conform_not_applicable(c, "the first block was answered by %s", conform_text(text, answer));
}

static bool is_echoed(conform_t *c, const copal_message_t *answer, uint32_t number)
{
    copal_block_t block;
    if (!find_block(answer, COPAL_OPTION_BLOCK1, &block))
        return conform_fail(c, "the answer has no Block1");
    return block.number == number || conform_fail(c, "the answer is about block %u, not %u", block.number, number);
}

static bool upload(conform_t *c)
{
    copal_message_t answer;
    if (!put_first(c, &answer) || !is_echoed(c, &answer, 0) || !put_block(c, 1, false, 0, &answer))
        return false;
    return conform_expect_codes(c, &answer, (copal_code_t[]){COPAL_CHANGED, COPAL_CREATED, 0}) &&
           is_echoed(c, &answer, 1) && conform_expect_text(c, "sixteen octets! sixteen octets! ", true);
}

static bool continues(conform_t *c)
{
    copal_message_t answer;
    copal_block_t block;
    if (!put_first(c, &answer))
        return false;
    if (find_block(&answer, COPAL_OPTION_BLOCK1, &block) && !block.more)
        return conform_not_applicable(c, "it acts upon each block");
    return conform_expect_code(c, &answer, COPAL_CONTINUE);
}

/** A last block whose first is not there; that the server takes blocks at all is seen first. */
static bool incomplete(conform_t *c)
{
    copal_message_t answer;
    if (!put_first(c, &answer) || !put_block(c, 1, false, 0, &answer))
        return false;
    return put_block(c, 3, false, 0, &answer) &&
           conform_expect_code(c, &answer, COPAL_REQUEST_ENTITY_INCOMPLETE);
}

static bool mixed_formats(conform_t *c)
{
    char text[CONFORM_TEXT];
    copal_message_t answer;
    if (!put_first(c, &answer) || !put_block(c, 1, false, 42, &answer))
        return false;
    return COPAL_CODE_CLASS(answer.code) != 2 ||
           conform_fail(c, "%s came: blocks of two Content-Formats were put together", conform_text(text, &answer));
}

#define SAYS_RESERVED "An SZX of 7 \"MUST lead to a 4.00 Bad Request response code upon reception in a request\"."

static const conform_case_t cases[] = {
    {.name = "rfc7959_2.2_block2_of_the_reserved_size_is_bad_request", .says = SAYS_RESERVED, .needs = NEEDS(LARGE),
     .run = reserved_block2},
    {.name = "rfc7959_2.2_block1_of_the_reserved_size_is_bad_request", .says = SAYS_RESERVED, .needs = NEEDS(PUT),
     .run = reserved_block1},
    {.name = "rfc7959_2.2_more_in_a_request_for_a_block_is_ignored", .needs = NEEDS(LARGE), .run = more_is_ignored,
     .says = "In a request for a block, \"the M bit MUST be sent as zero and ignored on reception\"."},
    {.name = "rfc7959_2.3_block1_is_echoed_and_the_body_put_together", .needs = NEEDS(PUT), .run = upload,
     .says = "A Block1 in a response says which block is acknowledged; with the last one, the whole body counts."},
    {.name = "rfc7959_2.3_blocks_of_two_formats_are_not_put_together", .needs = NEEDS(PUT), .run = mixed_formats,
     .says = "\"If blocks of a request arrive at a server with mismatching Content-Format Options, the server MUST NOT "
             "assemble them into a single request.\""},
    {.name = "rfc7959_2.4_blocks_are_no_larger_than_asked_for", .needs = NEEDS(LARGE), .run = no_larger,
     .says = "\"A server MUST use the block size indicated or a smaller size\", and each block but the last is full."},
    {.name = "rfc7959_2.4_blocks_of_any_size_make_the_same_body", .needs = NEEDS(LARGE), .run = same_body,
     .says = "The server MUST ensure the same block size for all responses of a sequence; the Content-Format MUST be "
             "that of the entire body."},
    {.name = "rfc7959_2.4_blocks_carry_an_etag", .level = CONFORM_SHOULD, .needs = NEEDS(LARGE), .run = has_tag,
     .says = "\"The server SHOULD include an ETag Option in each response.\""},
    {.name = "rfc7959_2.5_last_block_without_the_others_is_incomplete", .needs = NEEDS(PUT), .run = incomplete,
     .says = "\"If not all previous blocks are available at the server at the time of processing the final block, the "
             "transfer fails and error code 4.08 (Request Entity Incomplete) MUST be returned.\""},
    {.name = "rfc7959_2.9.1_block_of_more_to_come_is_continue", .needs = NEEDS(PUT), .run = continues,
     .says = "2.31 (Continue) says that the transfer of this block was successful and the next one is to be sent."},
};

const conform_suite_t conform_rfc7959 = {cases, sizeof cases / sizeof cases[0]};

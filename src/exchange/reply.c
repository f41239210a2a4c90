/* Writing an answer where it leaves from, and the block of it that was asked for (RFC 7959 section 2.4). */
#include "../message/writer.h"
#include "state.h"

#define SIZE2_MOST   6u  /* octets of the longest Size2 option, its head included */
#define BLOCK_MOST   5u  /* the same of Block1, and of Block2 */
#define BLOCKS_MOST  ((size_t)1 << 20) /* of a body: a number has 20 bits (RFC 7959 section 2.2) */
_Static_assert(2 * BLOCK_MOST == COPAL__CLOSING_MUST, "what an answer must have");

uint8_t copal__szx_within(size_t room)
{
    uint8_t szx = 0;
    for (room /= 32; room; room /= 2)
        szx++;
    return szx < 6 ? szx : 6;
}

void copal__answer_open(const copal_endpoint_t *e, copal_writer_t *w, copal_code_t code, int32_t asked,
                        copal__keeping_t *keeping)
{
    if (COPAL_CODE_CLASS(code) != 2)
        return;
    w->spill = keeping->spill.take ? &keeping->spill : NULL;
    w->window = e->config.limits.payload_size;
    if (asked < 0 && w->size + COPAL__OPTIONS_ROOM + w->window <= w->capacity)
        return;
    copal_block_t block = {.szx = 6};
    size_t taken = w->size + COPAL__OPTIONS_ROOM, room = w->capacity > taken ? w->capacity - taken : 0;
    if (asked >= 0)
        copal_block_decode(&block, (uint32_t)asked);
    w->skip = (size_t)block.number << (block.szx + 4);
    size_t most = (size_t)16 << block.szx;
    most = most < w->window ? most : w->window;
    w->window = (size_t)16 << copal__szx_within(most < room ? most : room);
}

/* Says which block of the body this is, and with the first how large all of it is (RFC 7959 section 4), where there is
 * room to say so, and for Block1. */
static void add_block2(copal_writer_t *w, const copal_block_t *block, bool sized)
{
    copal_option_t size2;
    copal_write_option_uint(w, COPAL_OPTION_BLOCK2, copal_block_encode(block));
    if ((sized || (!block->number && block->more)) && w->total <= UINT32_MAX &&
        w->capacity - w->size >= SIZE2_MOST + BLOCK_MOST && !copal__written(w, COPAL_OPTION_SIZE2, &size2))
        copal_write_option_uint(w, COPAL_OPTION_SIZE2, (uint32_t)w->total);
}

copal_code_t copal__answer_close(copal_writer_t *w, copal_code_t code, const copal__asked_t *asked)
{
    if (COPAL_CODE_CLASS(code) != 2 && asked->problem)
        copal__problem_describe(w);
    if (COPAL_CODE_CLASS(code) != 2)
        return w->error ? code : 0; /* an error loses its text */
    if (!w->error && w->total && (asked->block2 >= 0 || w->total > w->window)) {
        if (w->skip >= w->total)
            return COPAL_BAD_REQUEST;
        uint8_t szx = copal__szx_within(w->window);
        size_t size = (size_t)16 << szx;
        if (w->size > w->payload + size)
            w->size = w->payload + size;
        const copal_block_t block = {(uint32_t)(w->skip / size), w->skip + size < w->total, szx};
        add_block2(w, &block, asked->size2);
    }
    /* The last part is acknowledged, too (RFC 7959 section 2.3): once what may be more than there is room for was cut. */
    if (asked->block1 >= 0 && code != COPAL_CONTINUE)
        copal_write_option_uint(w, COPAL_OPTION_BLOCK1, (uint32_t)asked->block1 & ~8u);
    return w->error ? COPAL_INTERNAL_SERVER_ERROR : 0;
}

/* The size with Block2, or an octet more, and a window of `window` octets, which has at most those of the writer. */
static size_t size_within(const copal_writer_t *w, size_t window)
{
    size_t kept = w->payload ? w->size - w->payload : 0, most = (size_t)16 << copal__szx_within(window);
    size_t number = w->skip / most, block2 = BLOCK_MOST - (number < 4096) - (number < 16);
    return w->size + block2 - (kept > most ? kept - most : 0);
}

static size_t block1_size(const copal_writer_t *w, const copal__asked_t *asked)
{
    return asked->block1 >= 0 && COPAL_CODE_CLASS(w->data[1]) == 2 && w->data[1] != COPAL_CONTINUE ? BLOCK_MOST : 0;
}

size_t copal__answer_size(const copal_writer_t *w, const copal__asked_t *asked)
{
    bool blocks = COPAL_CODE_CLASS(w->data[1]) == 2 && w->total && (asked->block2 >= 0 || w->total > w->window);
    return (blocks ? size_within(w, w->window) : w->size) + block1_size(w, asked);
}

/* A cut answer's code: 2.05 says that its payload is all there is, and a request with effects has only had them. */
static bool fit_without_payload(copal_writer_t *w, size_t most)
{
    if (w->data[1] == COPAL_CONTENT)
        w->data[1] = COPAL_CHANGED;
    if (w->payload)
        w->size = w->payload - 1;
    w->payload = w->total = 0;
    if (w->size <= most)
        return true;
    if (w->data[1] == COPAL_UNAUTHORIZED)
        return false; /* a challenge is nothing without its option */
    w->size = w->options;
    w->number = 0;
    return w->size <= most;
}

bool copal__answer_fit(copal_writer_t *w, const copal__asked_t *asked, bool cuttable, size_t most)
{
    size_t block1 = block1_size(w, asked);
    if (most < block1)
        return false;
    most -= block1;
    if (!cuttable || COPAL_CODE_CLASS(w->data[1]) != 2) {
        w->capacity = most + block1;
        return fit_without_payload(w, most);
    }
    if (!w->payload)
        return false;
    /* No smaller than blocks of all of the body may be: a peer goes on with those that it gets first. */
    for (size_t window = (size_t)16 << copal__szx_within(w->window);
         window >= 16 && (w->total - 1) / window < BLOCKS_MOST; window /= 2) {
        if (size_within(w, window) <= most) {
            w->window = window;
            w->capacity = most + block1; /* there may be no room for Size2 */
            return true;
        }
    }
    return false;
}

copal_writer_t *copal_reply(copal_call_t *call, copal_code_t code)
{
    copal__serving_t *serving = (copal__serving_t *)(void *)call;
    copal_endpoint_t *e = call->endpoint;
    bool confirmable = call->request->type == COPAL_CON;
    copal__keeping_drop(&serving->keeping);
    copal_writer_init(&serving->w, copal__outbox_place(&e->outbox), e->config.limits.datagram_size);
    copal_write_header(&serving->w, confirmable ? COPAL_ACK : COPAL_NON, code, confirmable ? call->request->id : 0,
                       call->request->token);
    copal__answer_open(e, &serving->w, code, serving->options.block2, &serving->keeping);
    serving->code = code;
    serving->answered = true;
    return &serving->w;
}

void copal_reply_text(copal_call_t *call, copal_code_t code, const char *text)
{
    copal_writer_t *w = copal_reply(call, code);
    if (text)
        copal_write_text(w, text);
}

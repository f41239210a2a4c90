/* Writing an answer where it leaves from, and the block of it that was asked for (RFC 7959 section 2.4). */
#include "state.h"

#define OPTIONS_ROOM 64u /* octets kept free for options when a payload is cut to what fits */

static uint32_t floor_power(uint32_t size)
{
    uint32_t power = 16;
    while (power * 2 <= size && power < 1024)
        power *= 2;
    return power;
}

void copal__block_open(const copal_endpoint_t *e, copal_writer_t *w, int32_t asked)
{
    size_t taken = w->size + OPTIONS_ROOM, most = e->config.limits.payload_size;
    size_t room = w->capacity > taken ? w->capacity - taken : 0;
    if (room < most)
        most = floor_power((uint32_t)room);
    w->window = most;
    if (asked < 0)
        return;
    copal_block_t block;
    copal_block_decode(&block, (uint32_t)asked);
    w->skip = (size_t)block.number << (block.szx + 4);
    w->window = floor_power((uint32_t)most);
    if (w->window > (size_t)16 << block.szx)
        w->window = (size_t)16 << block.szx;
}

int copal__block_close(copal_writer_t *w, int32_t asked)
{
    if (w->error || !w->total || (asked < 0 && w->total <= w->window))
        return w->error;
    if (w->skip >= w->total)
        return COPAL_ENOTFOUND;
    uint32_t size = floor_power((uint32_t)w->window);
    if (w->size - w->payload > size)
        w->size = w->payload + size;
    copal_block_t block = {.number = (uint32_t)(w->skip / size), .more = w->skip + size < w->total};
    while ((16u << block.szx) < size)
        block.szx++;
    copal_write_option_uint(w, COPAL_OPTION_BLOCK2, copal_block_encode(&block));
    return w->error;
}

copal_bytes_t copal__reply_bytes(const copal_writer_t *w)
{
    return (copal_bytes_t){w->data + w->options, w->size - w->options};
}

copal_writer_t *copal_reply(copal_call_t *call, copal_code_t code)
{
    copal__serving_t *serving = (copal__serving_t *)(void *)call;
    copal_endpoint_t *e = call->endpoint;
    bool confirmable = call->request->type == COPAL_CON;
    copal_writer_init(&serving->w, copal__outbox_room(&e->outbox), e->config.limits.datagram_size);
    copal_write_header(&serving->w, confirmable ? COPAL_ACK : COPAL_NON, code, confirmable ? call->request->id : 0,
                       call->request->token);
    if (COPAL_CODE_CLASS(code) == 2)
        copal__block_open(e, &serving->w, serving->options.block2);
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

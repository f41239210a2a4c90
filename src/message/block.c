#include "copal/message.h"

int copal_block_decode(copal_block_t *block, uint32_t value)
{
    *block = (copal_block_t){.number = value >> 4, .more = value >> 3 & 1, .szx = value & 7};
    return block->szx == 7 ? COPAL_EINVAL : 0; /* RFC 7959 section 2.2: reserved */
}

uint32_t copal_block_encode(const copal_block_t *block)
{
    return block->number << 4 | (uint32_t)block->more << 3 | block->szx;
}

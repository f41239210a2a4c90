/* ETags of files, and what requests make of them (RFC 7252 sections 5.10.6 and 5.10.8). */
#define _POSIX_C_SOURCE 200809L
#include "directory.h"

#include "../message/hash.h"

#include <string.h>

/* The time of the last change of the inode is in it as the one of the content can be set back. The key is fixed: an ETag
 * outlives the server. */
copal__tag_t copal__tag_of(const struct stat *state)
{
    static const copal__key_t key = {0x636f70616c, 0x66696c6573};
    const uint64_t told[] = {
        (uint64_t)state->st_dev,          (uint64_t)state->st_ino,          (uint64_t)state->st_size,
        (uint64_t)state->st_mtim.tv_sec,  (uint64_t)state->st_mtim.tv_nsec, (uint64_t)state->st_ctim.tv_sec,
        (uint64_t)state->st_ctim.tv_nsec,
    };
    uint64_t hash = copal__hash(&key, 0, told, sizeof told);
    copal__tag_t tag;
    memcpy(tag.octets, &hash, sizeof tag.octets);
    return tag;
}

bool copal__tag_equal(const copal__tag_t *a, const copal__tag_t *b)
{
    return !memcmp(a->octets, b->octets, sizeof a->octets);
}

/* Whether one of the options `number` names the state; an empty If-Match names any. */
static bool names(const copal_message_t *request, uint16_t number, const copal__tag_t *tag)
{
    copal_option_reader_t reader = copal_message_options(request);
    copal_option_t o;
    while (copal_option_next(&reader, &o) && o.number <= number) {
        if (o.number != number)
            continue;
        if (number == COPAL_OPTION_IF_MATCH && !o.value.size)
            return true;
        if (o.value.size == sizeof tag->octets && !memcmp(o.value.data, tag->octets, sizeof tag->octets))
            return true;
    }
    return false;
}

bool copal__tag_is_known(const copal_message_t *request, const copal__tag_t *tag)
{
    return names(request, COPAL_OPTION_ETAG, tag);
}

bool copal__tag_permits(const copal_call_t *call, const copal__tag_t *tag)
{
    if (call->options->if_matches && !(tag && names(call->request, COPAL_OPTION_IF_MATCH, tag)))
        return false;
    return !call->options->if_none_match || !tag;
}

copal_writer_t *copal__tag_reply(copal_call_t *call, copal_code_t code, const copal__tag_t *tag)
{
    copal_writer_t *w = copal_reply(call, code);
    copal_write_option(w, COPAL_OPTION_ETAG, (copal_bytes_t){tag->octets, sizeof tag->octets});
    return w;
}

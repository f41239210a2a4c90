/* The server under test: which of its resources the cases are played with. */
#include "conform.h"

#include <stdlib.h>
#include <string.h>

enum { PROBED = 40, PROBE_TIMEOUT = 10 * 1000, SMALL = 512, LISTED = 65536 };

const char *conform_role_name(conform_role_t role)
{
    static const char *const names[] = {"value", "put", "large", "observe", "separate"};
    return names[role];
}

conform_role_t conform_take_paths(conform_target_t *target)
{
    for (int role = 0; role < ROLE_COUNT; role++) {
        const char *name = target->named[role];
        uint8_t *octets = target->paths[role].octets;
        int size = name ? copal_path_encode(octets, CONFORM_PATH_SIZE, copal_text(name)) : 0;
        if (size < 0)
            return (conform_role_t)role;
        target->paths[role].encoded = (copal_bytes_t){octets, (size_t)size};
    }
    return ROLE_COUNT;
}

typedef struct {
    conform_target_t *target;
    uint8_t listed[LISTED];
    size_t size;
} exploration_t;

static void found(conform_target_t *target, conform_role_t role, copal_bytes_t path)
{
    if (target->named[role] || path.size >= CONFORM_PATH_SIZE)
        return;
    snprintf(target->found[role], CONFORM_PATH_SIZE, "%.*s", (int)path.size, (const char *)path.data);
    target->named[role] = target->found[role];
}

static bool has(copal_bytes_t attributes, const char *name)
{
    copal_attribute_t attribute;
    while (copal_attribute_next(&attributes, &attribute) == 1)
        if (conform_same(attribute.name, copal_text(name)))
            return true;
    return false;
}

static bool is_block(const copal_message_t *message, copal_block_t *block)
{
    copal_option_t option;
    return copal_option_find(message, COPAL_OPTION_BLOCK2, &option) &&
           copal_block_decode(block, copal_option_uint(&option)) == 0;
}

/** Reads /.well-known/core, whatever its blocks, as far as there is room. */
static bool list(conform_t *c, exploration_t *x)
{
    copal_message_t answer;
    copal_block_t block = {0};
    do {
        conform_ask_t ask;
        conform_ask_path(c, &ask, COPAL_GET, ".well-known/core");
        if (x->size) {
            block.number++;
            block.more = false;
            conform_uint(&ask, COPAL_OPTION_BLOCK2, copal_block_encode(&block));
        }
        if (!conform_exchange(c, &ask, &answer) || answer.code != COPAL_CONTENT ||
            answer.payload.size > LISTED - x->size)
            break;
        if (answer.payload.size)
            memcpy(x->listed + x->size, answer.payload.data, answer.payload.size);
        x->size += answer.payload.size;
    } while (is_block(&answer, &block) && block.more && answer.payload.size);
    return c->log->next != NULL; /* something came */
}

/** Asks for a resource once, and sees what it is good for. */
static void probe(conform_t *c, conform_target_t *target, copal_bytes_t path, copal_bytes_t attributes)
{
    char text[CONFORM_PATH_SIZE];
    uint8_t octets[CONFORM_PATH_SIZE];
    conform_ask_t ask;
    copal_message_t answer;
    copal_block_t block;
    int size = copal_path_encode(octets, sizeof octets, path);
    if (size < 0 || path.size >= sizeof text)
        return;
    conform_ask_path(c, &ask, COPAL_GET, "");
    copal_message_t named = {.options = {octets, (size_t)size}};
    copal_option_reader_t reader = copal_message_options(&named);
    for (copal_option_t option; copal_option_next(&reader, &option);)
        conform_option(&ask, COPAL_OPTION_URI_PATH, option.value);
    if (!conform_exchange(c, &ask, &answer) || answer.code != COPAL_CONTENT)
        return;
    if (answer.type != COPAL_ACK)
        found(target, ROLE_SEPARATE, path);
    else if (is_block(&answer, &block) && block.more)
        found(target, ROLE_LARGE, path);
    else if (answer.payload.size && answer.payload.size <= SMALL)
        found(target, ROLE_VALUE, path);
    if (has(attributes, "obs"))
        found(target, ROLE_OBSERVE, path);
}

static bool explore(conform_t *c)
{
    exploration_t *x = c->user;
    if (!list(c, x))
        return false;
    copal_bytes_t document = {x->listed, x->size}, well_known = copal_text(".well-known/core");
    copal_link_t link;
    for (int i = 0; i < PROBED && copal_link_next(&document, &link) == 1; i++) {
        copal_bytes_t path = link.target;
        c->verdict = VERDICT_NONE; /* one that does not answer is none to use, and no more */
        if (path.size && *path.data == '/') {
            path.data++;
            path.size--;
            probe(c, x->target, path, link.attributes);
        }
    }
    if (x->size)
        found(x->target, ROLE_VALUE, well_known);
    if (x->size > 16)
        found(x->target, ROLE_LARGE, well_known);
    c->verdict = VERDICT_NONE;
    return true;
}

bool conform_explore(conform_target_t *target)
{
    static const conform_case_t subject = {.name = "explore", .run = explore};
    exploration_t *x = conform_memory(calloc(1, sizeof *x));
    conform_target_t hasty = *target;
    conform_t c;
    if (hasty.timeout > PROBE_TIMEOUT)
        hasty.timeout = PROBE_TIMEOUT;
    x->target = target;
    conform_open(&c, &subject, &hasty);
    c.user = x;
    conform_run(&c);
    bool answers = c.log && c.verdict == VERDICT_PASSED;
    conform_close(&c);
    free(x);
    return answers && conform_take_paths(target) == ROLE_COUNT;
}

/* Bodies in blocks at a server: the octets are parts that some peers send by Block1, blocks that they ask for by Block2, and what
 * becomes of the resources meanwhile. Each octet of a body follows from its sender, its Request-Tag and its place, so any
 * mixture is seen: pieces that an intake takes, values, and answers that are kept for later blocks. */
#include "common/input.h"
#include "copal/tree.h"
#include "support/bench.h"

enum { PEERS = 3, TAGS = 3, RUNS = 256, VALUE_MOST = 3000 };

typedef struct {
    bench_t bench;
    copal_handle_t handler;
    uint16_t id; /* of the next message */
    bool again;  /* which the last one had, so that it may be answered as that was */
    uint32_t next[PEERS][TAGS]; /* offset behind the last part */
    unsigned held, runs;
    unsigned owner[RUNS]; /* which peer made that run of the handler */
    unsigned asker;       /* who sent the request that is being answered */
} world_t;

static const copal_code_t codes[] = {COPAL_PUT, COPAL_POST, COPAL_POST, COPAL_PUT, COPAL_FETCH, COPAL_PATCH, COPAL_IPATCH, COPAL_GET};
static const char *const paths[] = {"v", "in", "in", "new"};

static uint8_t octet_of(unsigned key, size_t i) { return (uint8_t)(i == 0 ? key : key * 37 + i * 7 + (i >> 8)); }
static uint8_t answer_of(unsigned run, size_t i) { return (uint8_t)(run * 13 + i * 5 + (i >> 8)); }

static bool is_of(unsigned key, copal_bytes_t octets, size_t offset)
{
    for (size_t i = 0; i < octets.size; i++)
        if (octets.data[i] != octet_of(key, offset + i))
            return false;
    return true;
}

/* ---- a handler that takes bodies, and answers with long ones ---------------------------------------------------------- */

typedef struct {
    world_t *world;
    unsigned peer;
    size_t size;
    unsigned key; /* as the first octet says */
} body_t;

static unsigned peer_in(const copal_call_t *call) { return call->from->peer.data[2]; }

static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    world_t *w = user;
    if (size > 2 * VALUE_MOST) {
        *most = 2 * VALUE_MOST;
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    }
    body_t *b = malloc(sizeof *b);
    *b = (body_t){.world = w, .peer = peer_in(call)};
    w->held++;
    *body = b;
    return 0;
}

static copal_code_t take(void *body, copal_bytes_t piece)
{
    body_t *b = body;
    if (piece.size == 0)
        return 0;
    if (b->size == 0)
        b->key = piece.data[0];
    check(b->key / TAGS == b->peer);
    check(is_of(b->key, piece, b->size));
    b->size += piece.size;
    return b->size > VALUE_MOST ? COPAL_REQUEST_ENTITY_TOO_LARGE : 0;
}

static void answer(world_t *w, copal_call_t *call, copal_code_t code)
{
    uint8_t octets[VALUE_MOST];
    const unsigned run = w->runs++ % RUNS;
    w->owner[run] = peer_in(call);
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = answer_of(run, i);
    copal_write_payload(copal_reply(call, code), (copal_bytes_t){octets, 200 + run * 10});
}

static void drop(void *body)
{
    body_t *b = body;
    b->world->held--;
    free(b);
}

static void end(void *body, copal_call_t *call)
{
    body_t *b = body;
    check(b->size <= VALUE_MOST && peer_in(call) == b->peer);
    answer(b->world, call, COPAL_CHANGED);
    drop(b);
}

static const copal_intake_t intake = {.begin = begin, .take = take, .end = end, .drop = drop};

static void handle(void *user, copal_call_t *call) { answer(user, call, COPAL_CONTENT); }

/* ---- what must hold --------------------------------------------------------------------------------------------------- */

/* What is put is one peer's body, whole: it begins with its first octet, and the rest follows from that. */
static void check_value(world_t *w)
{
    uint8_t octets[VALUE_MOST];
    size_t size;
    copal_handle_t found;
    for (unsigned i = 0; i < 2; i++) {
        if (copal_tree_find(w->bench.tree, i ? "new" : "v", &found) < 0)
            continue;
        const int status = copal_tree_get_value(w->bench.tree, found, octets, sizeof octets, &size);
        check_equal(status, 0);
        if (size)
            check(is_of(octets[0], (copal_bytes_t){octets, size}, 0));
    }
}

/* A block of an answer is of a run that the same peer made. */
static void check_answer(const world_t *w, const copal_message_t *message)
{
    const int64_t block2 = option_of(message, COPAL_OPTION_BLOCK2);
    const size_t offset = block2 < 0 ? 0 : (size_t)(block2 >> 4) << ((block2 & 7) + 4);
    unsigned run = 0;
    if (message->payload.size == 0)
        return;
    while (run < RUNS && answer_of(run, offset) != message->payload.data[0])
        run++;
    check(run < RUNS);
    for (size_t i = 0; i < message->payload.size; i++)
        check_equal(message->payload.data[i], answer_of(run, offset + i));
    check_equal(w->owner[run], w->asker);
}

static void send(world_t *w, bool of_handler)
{
    while (bench_take(&w->bench)) {
        const copal_message_t *message = &w->bench.sent.message;
        const copal_code_t code = message->code;
        if (of_handler && (code == COPAL_CHANGED || code == COPAL_CONTENT))
            check_answer(w, message);
    }
    check(copal_endpoint_next_timeout(w->bench.endpoint) > w->bench.now);
}

/* ---- steps ------------------------------------------------------------------------------------------------------------ */

static void write_conditions(copal_writer_t *w, input_t *in)
{
    const uint8_t which = input_octet(in);
    if (which & 1)
        copal_write_option(w, COPAL_OPTION_IF_NONE_MATCH, NO_BYTES);
    if (which & 2)
        copal_write_option(w, COPAL_OPTION_IF_MATCH, which & 4 ? NO_BYTES : input_take(in, 2));
    if (which & 8)
        copal_write_option_uint(w, COPAL_OPTION_SIZE1, input_below(in, 10000));
    if (which & 16)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, input_octet(in));
    if (which & 32)
        copal_write_option_uint(w, COPAL_OPTION_NO_RESPONSE, input_octet(in));
}

/* A PUT may have made a value in the place of the handler. */
static bool is_handler(const world_t *w, const char *path)
{
    copal_handle_t found;
    return copal_tree_find(w->bench.tree, path, &found) == 0 && memcmp(&found, &w->handler, sizeof found) == 0;
}

static void hand_in(world_t *w, unsigned peer, uint8_t flags, copal_bytes_t datagram, const char *path)
{
    const copal_from_t from = {.peer = peer_of(0x0a000001u + (peer << 8)), .proven = flags & 1, .network = 3};
    w->asker = peer;
    const bool of_handler = is_handler(w, path);
    const int status = bench_receive_from(&w->bench, &from, datagram);
    check(status == 0 || status == COPAL_EIGNORED);
    send(w, of_handler);
}

/* A part of a body, most often the next one; or the whole. */
static void put(world_t *w, input_t *in)
{
    message_t m;
    uint8_t octets[1024];
    const uint8_t first = input_octet(in), flags = input_octet(in);
    const unsigned peer = first % PEERS, tag = first / PEERS % TAGS, key = peer * TAGS + tag;
    const char *path = paths[flags >> 1 & 3];
    copal_block_t block = {.szx = input_octet(in) % 7, .more = flags & 8};
    size_t size = (size_t)16 << block.szx, offset = w->next[peer][tag];
    if (flags & 16)
        offset = input_octet(in) * size;
    if (!block.more)
        size = input_below(in, (uint32_t)size + 1);
    else if (flags & 32)
        size = input_below(in, 300);
    block.number = (uint32_t)(offset >> (block.szx + 4));
    offset = (size_t)block.number << (block.szx + 4);
    for (size_t i = 0; i < size; i++)
        octets[i] = octet_of(key, offset + i);
    message_start(&m, flags & 64 ? COPAL_NON : COPAL_CON, codes[first / 9 % 8], w->id, (copal_bytes_t){(const uint8_t *)"t", 1});
    copal_write_path(&m.w, copal_text(path));
    if (tag)
        copal_write_option_uint(&m.w, COPAL_OPTION_REQUEST_TAG, tag);
    if (offset || block.more || flags & 128)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK1, copal_block_encode(&block));
    if (input_octet(in) & 1)
        copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, input_octet(in));
    write_conditions(&m.w, in);
    copal_write_payload(&m.w, (copal_bytes_t){octets, size});
    w->next[peer][tag] = block.more ? (uint32_t)(offset + size) : 0;
    if (m.w.error == 0)
        hand_in(w, peer, flags, message_end(&m), w->again ? "" : path);
    w->again = input_octet(in) % 8 == 0; /* the next has the same message ID */
    w->id = (uint16_t)(w->id + !w->again);
}

/* A later block of an answer. */
static void ask(world_t *w, input_t *in)
{
    message_t m;
    const uint8_t first = input_octet(in);
    const unsigned peer = first % PEERS, tag = first / PEERS % TAGS;
    const char *path = paths[input_octet(in) & 3];
    message_start(&m, COPAL_CON, codes[first / 9 % 8], ++w->id, (copal_bytes_t){(const uint8_t *)"u", 1});
    copal_write_path(&m.w, copal_text(path));
    if (tag)
        copal_write_option_uint(&m.w, COPAL_OPTION_REQUEST_TAG, tag);
    copal_write_option_uint(&m.w, COPAL_OPTION_BLOCK2, input_octet(in));
    write_conditions(&m.w, in);
    w->id++;
    w->again = false;
    if (m.w.error == 0)
        hand_in(w, peer, input_octet(in), message_end(&m), path);
}

static const copal_value_options_t options = {.content_format = -1, .max_age = -1, .etag = true, .methods = COPAL_METHODS_ALL};

static void change(world_t *w, input_t *in)
{
    copal_handle_t found;
    const uint8_t which = input_octet(in);
    const char *path = paths[which & 3];
    if (which & 4 && copal_tree_find(w->bench.tree, path, &found) == 0)
        check_equal(copal_tree_remove(w->bench.tree, found), 0);
    else if (which & 8)
        copal_tree_add_value(w->bench.tree, path, NO_BYTES, &options, NULL);
    else
        copal_tree_quiescent(w->bench.tree, 0);
}

static void step(world_t *w, input_t *in)
{
    const uint32_t what = input_below(in, 12);
    if (what < 8)
        put(w, in);
    else if (what < 10)
        ask(w, in);
    else if (what == 10)
        change(w, in);
    else
        w->bench.now += input_octet(in) * 2000;
    send(w, false);
    check_value(w);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

static void open_world(world_t *w, uint8_t first)
{
    static random_t random;
    random = random_from(2);
    const copal_tree_config_t tree_config = {.limits = {.resources = 8, .value_size = first & 1 ? 300 : VALUE_MOST,
                                                        .uploads = first & 2 ? 2 : 0, .arena = first & 4 ? 4000 : 0},
                                             .random = random_fill, .random_state = &random, .dynamic = true};
    const copal_handler_t handler = {.methods = 0xff << 1, .intake = &intake, .handle = handle, .user = w};
    const size_t size = copal_tree_size(&tree_config.limits);
    void *memory = calloc(1, size);
    copal_tree_t *tree;
    check_equal(copal_tree_init(&tree, memory, size, &tree_config), 0);
    const copal_config_t config = {.service = copal_tree_service(tree, 0),
                                   .limits = {.rests = first & 8 ? 1 : 0, .rest_size = first & 16 ? 600 : 0,
                                              .payload_size = first & 32 ? 64 : 0, .remembered = 300}};
    bench_open(&w->bench, &config);
    w->bench.tree = tree;
    w->bench.tree_memory = memory;
    check_equal(copal_tree_add_value(tree, "v", NO_BYTES, &options, NULL), 0);
    check_equal(copal_tree_add_handler(tree, "in", &handler, &w->handler), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t in = input_of(data, size);
    world_t *w = calloc(1, sizeof *w);
    open_world(w, input_octet(&in));
    while (input_left(&in) > 0)
        step(w, &in);
    copal_tree_close(w->bench.tree);
    check_equal(w->held, 0);
    bench_close(&w->bench);
    free(w);
    return 0;
}

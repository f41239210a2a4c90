/* What the server of a world has: values, a handler that does what the request says, an intake, a subtree. */
#include "common/served.h"

const char *const world_paths[] = {"v0", "v1", "run", "in", "tree/a/b", "d0", "d1", ".well-known/core", "absent"};

/* Of a request that the client made; NULL: somebody else did. */
static job_t *job_of(world_t *w, const copal_call_t *call)
{
    copal_option_t query;
    const copal_peer_t client = world_client(0);
    if (memcmp(call->from->peer.data, client.data, 4) != 0 ||
        !copal_option_find(call->request, COPAL_OPTION_URI_QUERY, &query) || query.value.size != 3)
        return NULL;
    const uint32_t number = copal_option_uint(&query) & 0xff;
    return number < w->count ? &w->jobs[number] : NULL;
}

static behaviour_t behaviour_of(const copal_call_t *call)
{
    copal_option_t query;
    return copal_option_find(call->request, COPAL_OPTION_URI_QUERY, &query)
               ? (behaviour_t)((copal_option_uint(&query) >> 8) % BEHAVIOURS)
               : AT_ONCE;
}

static void write_body(copal_writer_t *out, uint32_t number, size_t size)
{
    uint8_t body[BODY_MOST];
    for (size_t i = 0; i < size; i++)
        body[i] = world_octet(number, i);
    copal_write_payload(out, (copal_bytes_t){body, size});
}

static void defer(world_t *w, copal_call_t *call, job_t *job)
{
    copal_handle_t later;
    const int status = copal_defer(call, &later);
    check(status == 0 || status == COPAL_EFULL || status == COPAL_EINVAL);
    if (status < 0)
        return;
    copal_handle_t again;
    check_equal(copal_defer(call, &again), COPAL_EEXIST);
    const unsigned place = w->deferred++ % LATER;
    w->later[place] = later;
    w->later_jobs[place] = job;
}

static void count_run(job_t *job)
{
    job->runs++;
    if ((job->code == COPAL_POST || job->code == COPAL_PATCH) && !job->world->spoiled)
        check(job->runs <= 1);
}

static void run(void *user, copal_call_t *call)
{
    world_t *w = user;
    job_t *job = job_of(w, call);
    const uint32_t number = job ? job->number : 0xff;
    if (job && !call->notification)
        count_run(job);
    copal_writer_t *out;
    switch (behaviour_of(call)) {
    case AT_ONCE:
        write_body(copal_reply(call, COPAL_CONTENT), number, 20);
        break;
    case LONG:
        out = copal_reply(call, COPAL_CONTENT);
        copal_write_option_uint(out, COPAL_OPTION_ETAG, 1);
        write_body(out, number, BODY_MOST);
        break;
    case DEFERRED:
        defer(w, call, job);
        break;
    case REFUSED:
        copal_reply_text(call, COPAL_FORBIDDEN, "no");
        break;
    default:
        break;
    }
}

/* ---- an intake --------------------------------------------------------------------------------------------------- */

typedef struct {
    world_t *world;
    job_t *job;
    size_t size;
} body_t;

/* Whether it must be the one of a transfer, which follows from its number. */
static bool is_known(const body_t *b) { return b->job && b->job->transfer.read && !b->world->spoiled; }

static copal_code_t begin(void *user, const copal_call_t *call, int64_t size, void **body, size_t *most)
{
    world_t *w = user;
    if (size > BODY_MOST) {
        *most = BODY_MOST;
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    }
    body_t *b = malloc(sizeof *b);
    *b = (body_t){.world = w, .job = job_of(w, call)};
    w->held++;
    *body = b;
    return 0;
}

static copal_code_t take(void *body, copal_bytes_t piece)
{
    body_t *b = body;
    if (piece.size > BODY_MOST - b->size)
        return COPAL_REQUEST_ENTITY_TOO_LARGE;
    if (is_known(b))
        for (size_t i = 0; i < piece.size; i++)
            check_equal(piece.data[i], world_octet(b->job->number, b->size + i));
    b->size += piece.size;
    return 0;
}

static void release(body_t *b)
{
    b->world->held--;
    free(b);
}

static void end(void *body, copal_call_t *call)
{
    body_t *b = body;
    if (is_known(b))
        check_equal(b->size, b->job->transfer.size);
    if (b->job)
        count_run(b->job);
    const uint32_t number = b->job ? b->job->number : 0xff;
    if (behaviour_of(call) == DEFERRED)
        defer(b->world, call, b->job);
    else
        write_body(copal_reply(call, COPAL_CHANGED), number, behaviour_of(call) == LONG ? BODY_MOST : 8);
    release(b);
}

static void drop(void *body) { release(body); }

static const char *reason(void *body)
{
    (void)body;
    return "too long";
}

static const copal_intake_t intake = {.begin = begin, .take = take, .end = end, .drop = drop, .reason = reason};

static void tell_depth(void *user, copal_call_t *call)
{
    (void)user;
    check(call->depth == 1);
    copal_reply_text(call, COPAL_CONTENT, "below");
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* Whether there is room for one call more. */
static void probe(void *user, copal_call_t *call)
{
    copal_handle_t later;
    ((world_t *)user)->probed = copal_defer(call, &later);
}

void served_add(world_t *w)
{
    const uint32_t every = 0xff << 1;
    const copal_handler_t run_handler = {.methods = every, .observable = true, .handle = run, .user = w},
                          in_handler = {.methods = every, .intake = &intake, .handle = run, .user = w},
                          tree_handler = {.methods = every, .subtree = true, .handle = tell_depth, .user = w},
                          probe_handler = {.methods = every, .handle = probe, .user = w};
    const copal_value_options_t quiet = {.content_format = 0, .max_age = 2, .etag = true, .methods = COPAL_METHODS_ALL},
                                loud = {.content_format = -1, .max_age = -1, .methods = COPAL_METHODS_ALL, .confirm = true};
    check_equal(copal_tree_add_value(w->tree, "v0", copal_text("0"), &quiet, &w->values[0]), 0);
    check_equal(copal_tree_add_value(w->tree, "v1", copal_text("1"), &loud, &w->values[1]), 0);
    check_equal(copal_tree_add_handler(w->tree, "run", &run_handler, &w->handler), 0);
    check_equal(copal_tree_add_handler(w->tree, "in", &in_handler, NULL), 0);
    check_equal(copal_tree_add_handler(w->tree, "tree", &tree_handler, NULL), 0);
    check_equal(copal_tree_add_handler(w->tree, "probe", &probe_handler, NULL), 0);
    check_equal(copal_tree_add_attribute(w->tree, w->values[0], copal_text("rt"), copal_text("a b")), 0);
}

void world_answer(world_t *w, unsigned place, bool is_long)
{
    copal_message_t request;
    copal_writer_t *out;
    copal_endpoint_t *e = w->server.endpoint;
    const job_t *job = w->later_jobs[place];
    int status = copal_later_request(e, w->later[place], &request);
    check(status == 0 || status == COPAL_ESTALE);
    check_equal(copal_later_begin(e, w->later[place], COPAL_CONTENT, &out), status);
    if (status < 0)
        return;
    write_body(out, job ? job->number : 0xff, is_long ? BODY_MOST : 20);
    status = copal_later_commit(e, w->now, w->later[place]);
    check(status == 0 || status == COPAL_ESPACE);
    check_equal(copal_later_begin(e, w->later[place], COPAL_CONTENT, &out), COPAL_ESTALE);
}

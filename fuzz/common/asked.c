/* What the client of a world asks for, and what becomes of it. */
#include "common/world.h"

copal_peer_t world_client(uint32_t via)
{
    copal_peer_t peer = peer_of(0x0b000001u);
    peer.data[5] = (uint8_t)(peer.data[5] + via);
    return peer;
}

static job_t *job_of(copal_receiver_t *receiver)
{
    return (job_t *)(void *)((char *)receiver - offsetof(job_t, receiver));
}

/* Outcomes come only while it goes on, and the last one ends it. */
static void note_outcome(job_t *job, const copal_response_t *response)
{
    check(job->begun && !job->cancelled && !job->ended);
    check(response->status <= 0);
    check(response->status == 0 || !response->message);
    check_equal(response->now, job->world->now);
    job->ended = response->ended;
    if (job->kind == REQUEST || job->kind == TRANSFER)
        check(response->ended);
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    job_t *job = job_of(self);
    note_outcome(job, response);
    const copal_message_t *message = response->message;
    const bool named = message && message->code == COPAL_CONTENT && strcmp(job->path, "run") == 0 && !job->world->spoiled;
    int64_t block = message ? option_of(message, COPAL_OPTION_BLOCK2) : -1;
    if (named && block >> 4 <= 0)
        for (size_t i = 0; i < message->payload.size; i++)
            check_equal(message->payload.data[i], world_octet(job->number, i));
    if (response->ended)
        check_equal(copal_request_cancel(job->world->client.endpoint, job->world->now, job->handle), COPAL_ESTALE);
}

/* ---- transfers ----------------------------------------------------------------------------------------------------- */

static void write_query(copal_writer_t *w, const job_t *job)
{
    copal_write_option_uint(w, COPAL_OPTION_URI_QUERY, 0x010000u | (uint32_t)job->behaviour << 8 | job->number);
}

static void transfer_options(copal_transfer_t *t, copal_writer_t *w, copal_part_t part)
{
    const job_t *job = (const job_t *)t;
    (void)part;
    copal_write_path(w, copal_text(job->path));
    if (t->request.code == COPAL_FETCH)
        copal_write_option_uint(w, COPAL_OPTION_CONTENT_FORMAT, 42); /* RFC 8132 section 2.3.1 */
    write_query(w, job);
}

static int transfer_read(void *context, size_t offset, void *out, size_t size)
{
    const job_t *job = context;
    check(offset + size <= job->transfer.size);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = world_octet(job->number, offset + i);
    return 0;
}

/* Pieces follow one another, and are those of one body. */
static int transfer_write(copal_transfer_t *t, size_t offset, copal_bytes_t piece)
{
    job_t *job = (job_t *)t;
    check(offset == 0 || offset == job->written);
    if ((strcmp(job->path, "run") == 0 || strcmp(job->path, "in") == 0) && !job->world->spoiled)
        for (size_t i = 0; i < piece.size; i++)
            check_equal(piece.data[i], world_octet(job->number, offset + i));
    job->written = offset + piece.size;
    return 0;
}

static void transfer_done(copal_transfer_t *t, const copal_response_t *response)
{
    job_t *job = (job_t *)t;
    if (t->request.observe && !response->ended)
        job->kind = OBSERVATION;
    note_outcome(job, response);
}

static void start_transfer(world_t *w, job_t *job, const plan_t *plan, const copal_request_t *request)
{
    job->transfer = (copal_transfer_t){.request = *request,
                                       .options = transfer_options,
                                       .read = plan->bodied ? transfer_read : NULL,
                                       .context = job,
                                       .size = plan->bodied ? plan->size : 0,
                                       .write = transfer_write,
                                       .done = transfer_done,
                                       .block_size = (uint16_t)(16u << plan->szx % 7),
                                       .blocks = plan->szx & 8};
    const int status = copal_transfer_start(w->client.endpoint, w->now, &job->transfer);
    check(status >= 0 || status == COPAL_EFULL || status == COPAL_EINVAL || status == COPAL_ESPACE);
    job->begun = status >= 0;
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

static void start_request(world_t *w, job_t *job, const plan_t *plan, const copal_request_t *request)
{
    copal_writer_t *out;
    const int status = copal_request_begin(w->client.endpoint, request, &job->handle, &out);
    check(status == 0 || status == COPAL_EFULL || status == COPAL_EINVAL || status == COPAL_EEXIST);
    if (status < 0)
        return;
    if (plan->code != COPAL_EMPTY) {
        copal_write_path(out, copal_text(plan->path));
        write_query(out, job);
        if (plan->options)
            plan->options(plan->context, out);
    }
    job->begun = copal_request_commit(w->client.endpoint, w->now, job->handle, &job->receiver) == 0;
    if (!job->begun)
        check_equal(copal_request_cancel(w->client.endpoint, w->now, job->handle), COPAL_ESTALE);
}

void world_ask(world_t *w, const plan_t *plan)
{
    if (w->count == JOBS)
        return;
    job_t *job = &w->jobs[w->count];
    *job = (job_t){.receiver = {receive}, .world = w, .number = w->count++, .kind = plan->kind, .behaviour = plan->behaviour,
                   .path = plan->path, .code = plan->code};
    static const copal_peer_t server = {.size = 6, .data = {10, 0, 0, 1, 0x16, 0x33}},
                              group = {.size = 6, .data = {224, 0, 1, 187, 0x16, 0x33}};
    const copal_request_t request = {.to = plan->kind == GROUP ? &group : &server,
                                     .group = plan->kind == GROUP,
                                     .via = plan->kind == GROUP ? 1 : 0,
                                     .code = plan->code,
                                     .confirmable = plan->confirmable,
                                     .observe = plan->kind == OBSERVATION || (plan->kind == TRANSFER && plan->timeout % 8 == 7),
                                     .timeout = plan->timeout};
    if (plan->kind == TRANSFER)
        start_transfer(w, job, plan, &request);
    else
        start_request(w, job, plan, &request);
}

void world_cancel(world_t *w, job_t *job, bool deregister)
{
    int status = COPAL_ESTALE;
    if (!job->begun)
        return;
    if (job->transfer.options)
        status = copal_transfer_cancel(&job->transfer, w->now);
    else if (deregister)
        status = copal_request_deregister(w->client.endpoint, w->now, job->handle);
    else
        status = copal_request_cancel(w->client.endpoint, w->now, job->handle);
    check_equal(status, job->ended || job->cancelled ? COPAL_ESTALE : 0);
    job->cancelled = true;
}

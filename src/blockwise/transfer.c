/* The client's block-wise transfers (RFC 7959), over the public calls of the endpoint: one exchange at a time, and what
 * comes of it says which is the next. */
#include "copal/transfer.h"

#include <string.h>

#define SZX_MOST     6u
#define NUMBER_MOST  0xfffffu /* section 2.2: 20 bits */
#define OPTIONS_ROOM 64u      /* octets for Block1, Block2, Size1, Size2, Request-Tag, and an Echo that is asked for */

#define TINY         2u       /* SZX of a block that is worth a question */
#define ID_TIME      262144u  /* milliseconds that a message ID may be long in coming: over EXCHANGE_LIFETIME */

/* What follows an exchange; negative: the error that ends the transfer. */
enum { STEP_END, STEP_NEXT, STEP_BODY };

static const copal_handle_t none;

static size_t octets_of(uint8_t szx) { return (size_t)16 << szx; }

static uint8_t szx_of(size_t size)
{
    uint8_t szx = 0;
    while (szx < SZX_MOST && octets_of(szx) < size)
        szx++;
    return szx;
}

static uint8_t wanted_szx(const copal_transfer_t *t) { return t->block_size ? szx_of(t->block_size) : SZX_MOST; }

static bool is_open(copal_handle_t handle) { return handle.generation != 0; }

static bool is_success(const copal_message_t *m) { return COPAL_CODE_CLASS(m->code) == 2; }

/* Without effects: it may be sent from its start again at any time. */
static bool is_safe(const copal_transfer_t *t)
{
    return t->request.code == COPAL_GET || t->request.code == COPAL_FETCH;
}

/* Whether `m` holds a block option, into `block`; COPAL_EFORMAT: one that says nothing. */
static int find_block(const copal_message_t *m, uint16_t number, copal_block_t *block)
{
    copal_option_t option;
    if (!copal_option_find(m, number, &option))
        return 0;
    return copal_block_decode(block, copal_option_uint(&option)) < 0 ? COPAL_EFORMAT : 1;
}

/* ---- the next exchange ----------------------------------------------------------------------------------- */

/* Octets of the request's body that the exchange in flight carries. */
static size_t piece_size(const copal_transfer_t *t)
{
    size_t left = t->size - t->sent;
    return t->in_blocks_ && left > octets_of(t->szx_) ? octets_of(t->szx_) : left;
}

static void write_block(copal_writer_t *w, uint16_t option, size_t offset, bool more, uint8_t szx)
{
    const size_t number = offset / octets_of(szx);
    if (number > NUMBER_MOST && !w->error)
        w->error = COPAL_ESPACE;
    copal_write_option_uint(w, option, copal_block_encode(&(copal_block_t){(uint32_t)number, more, szx}));
}

static void write_control(const copal_transfer_t *t, copal_writer_t *w, size_t offset, uint8_t szx)
{
    write_block(w, COPAL_OPTION_BLOCK2, offset, false, szx);
    if (t->progress && !t->total)
        copal_write_option_uint(w, COPAL_OPTION_SIZE2, 0); /* section 4: asks for it */
}

/* One Request-Tag for all of a body, and another for the next (RFC 9175 section 3.4). The handle of its first exchange
 * names it: there are no two alike among those that are under way, nor among the last thousands. */
static void write_tag(copal_transfer_t *t, copal_writer_t *w, copal_handle_t handle)
{
    if (!t->tag_)
        t->tag_ = handle.generation << 20 ^ handle.slot ^ handle.generation >> 12;
    if (!t->tag_) /* that would be none yet */
        t->tag_ = UINT32_MAX;
    copal_write_option_uint(w, COPAL_OPTION_REQUEST_TAG, t->tag_);
}

static bool fits_one_datagram(const copal_transfer_t *t, const copal_writer_t *w)
{
    return t->size <= octets_of(t->szx_) && t->size + OPTIONS_ROOM <= w->capacity - w->size;
}

/* The request's body, or the block of it whose turn it is. */
static void write_body(copal_transfer_t *t, copal_writer_t *w, copal_handle_t handle, bool observe)
{
    if (t->size > 0 && !fits_one_datagram(t, w))
        t->in_blocks_ = true;
    if (t->in_blocks_ && observe && !w->error)
        w->error = COPAL_ESPACE;
    while (t->in_blocks_ && t->szx_ > 0 && octets_of(t->szx_) + OPTIONS_ROOM > w->capacity - w->size)
        t->szx_--;
    const size_t piece = piece_size(t);
    const bool last = t->sent + piece == t->size;
    if (t->in_blocks_) {
        write_block(w, COPAL_OPTION_BLOCK1, t->sent, !last, t->szx_);
        if (t->sent == 0)
            copal_write_option_uint(w, COPAL_OPTION_SIZE1, (uint32_t)t->size);
        write_tag(t, w, handle);
        w->skip = t->sent;
        w->window = piece;
    }
    if (last && (t->blocks || t->asked_larger_) && t->write)
        write_control(t, w, 0, wanted_szx(t));
    if (t->size > 0)
        copal_write_body(w, t->size, t->read, t->context);
}

/* RFC 7959 section 2.7: like the requests before, but without Block1 and its payload. "When Block1 and Block2 are
 * combined in an operation, the Request-Tag of the Block1 phase is set in the Block2 phase as well" (RFC 9175 section
 * 3.4). A FETCH in one datagram is nothing without its payload, which says what is asked for (RFC 8132 section 2). */
static void write_question(copal_transfer_t *t, copal_writer_t *w)
{
    write_control(t, w, t->received, t->szx_);
    if (t->in_blocks_)
        write_tag(t, w, none);
    else if (t->request.code == COPAL_FETCH && t->size > 0)
        copal_write_body(w, t->size, t->read, t->context);
}

static copal_part_t part_of(const copal_transfer_t *t)
{
    if (t->fetching_ || t->started_over_)
        return COPAL_PART_FETCHING;
    return t->sent > 0 ? COPAL_PART_SENDING : COPAL_PART_FIRST;
}

/* All blocks of a body bear the token of the first: there are servers that know by it alone what belongs together
 * (go-coap before 3.8), and would take the last block for the whole. Where the exchange before was NON, a late copy of
 * its answer would be taken for the next one's. */
static bool keeps_token(const copal_transfer_t *t)
{
    return t->in_blocks_ && t->sent > 0 && t->request.confirmable && !t->request.given_token;
}

/* `before` is the token of the exchange that ended just now. */
static copal_request_t next_request(const copal_transfer_t *t, bool observe, copal_bytes_t before)
{
    copal_request_t request = t->request;
    request.observe = observe;
    if (t->request.observe && !observe)
        request.given_token = false; /* section 3.4: these "cannot make use of the token of the Observation" */
    if (keeps_token(t)) {
        request.given_token = true;
        request.token = before;
    }
    return request;
}

/* Its message ID, or an error. COPAL_EFULL with a request that is open: it has none yet. */
static int send_request(copal_transfer_t *t, copal_time_t now, const copal_request_t *request)
{
    copal_handle_t *handle = request->observe ? &t->observation_ : &t->exchange_;
    copal_writer_t *w;
    int status = copal_request_begin(t->endpoint_, request, handle, &w);
    if (status == 0) {
        t->options(t, w, part_of(t));
        if (t->fetching_)
            write_question(t, w);
        else
            write_body(t, w, *handle, request->observe);
        status = copal_request_commit(t->endpoint_, now, *handle, &t->receiver_);
    }
    if (status < 0)
        *handle = none;
    return status < 0 ? status : copal_request_id(t->endpoint_, *handle);
}

/* A server may know by who sends them which blocks belong together, and what is left of an answer. */
static bool may_move(const copal_transfer_t *t)
{
    return t->move && !t->in_blocks_ && (is_safe(t) || !t->fetching_);
}

/* Sends the next request, as send_request. */
static int ask(copal_transfer_t *t, copal_time_t now, bool observe, copal_bytes_t before)
{
    const copal_handle_t *handle = observe ? &t->observation_ : &t->exchange_;
    copal_request_t request = next_request(t, observe, before);
    int status = send_request(t, now, &request);
    for (unsigned tries = 1; status == COPAL_EFULL && is_open(*handle) && may_move(t) && t->move(t, tries); tries++) {
        copal_request_cancel(t->endpoint_, now, *handle);
        request.via = t->request.via;
        t->moved_ = true;
        status = send_request(t, now, &request);
    }
    if (status == COPAL_EFULL && is_open(*handle)) { /* time to get an ID, and then its own for the answer */
        copal_request_cancel(t->endpoint_, now, *handle);
        request.timeout = request.timeout ? request.timeout : ID_TIME;
        request.timeout = request.timeout < UINT32_MAX - ID_TIME ? request.timeout + ID_TIME : UINT32_MAX;
        status = send_request(t, now, &request);
    }
    return status;
}

/* ---- what became of the request's body ------------------------------------------------------------------- */

static int send_again(copal_transfer_t *t)
{
    t->sent = 0;
    t->tag_ = 0;
    t->in_blocks_ = true;
    return STEP_NEXT;
}

/* RFC 7959 section 2.9.3: a hint to try smaller blocks, or blocks at all. */
static int send_smaller(copal_transfer_t *t, const copal_message_t *m)
{
    copal_block_t block = {0};
    copal_option_t size1;
    const int has = find_block(m, COPAL_OPTION_BLOCK1, &block);
    uint8_t szx = t->szx_;
    while (szx > 0 && octets_of(szx) >= t->size)
        szx--;
    if (has > 0 && block.szx < szx)
        szx = block.szx;
    if (t->size <= octets_of(szx) || t->request.observe)
        return STEP_END;
    if (t->in_blocks_ && szx >= t->szx_)
        return STEP_END; /* it is not the blocks that are too large */
    if (!has && copal_option_find(m, COPAL_OPTION_SIZE1, &size1) && copal_option_uint(&size1) < t->size)
        return STEP_END; /* RFC 7252 section 5.9.2.9: the most that it would take */
    t->szx_ = szx;
    return send_again(t);
}

static int take_acknowledgement(copal_transfer_t *t, const copal_message_t *m)
{
    copal_block_t block = {0};
    const int has = find_block(m, COPAL_OPTION_BLOCK1, &block);
    const size_t piece = piece_size(t);
    const bool last = t->sent + piece == t->size;
    if (m->code == COPAL_REQUEST_ENTITY_TOO_LARGE)
        return send_smaller(t, m);
    if (m->code == COPAL_REQUEST_ENTITY_INCOMPLETE && t->sent > 0 && !t->sent_again_) {
        t->sent_again_ = true; /* section 2.9.2: the server may have discarded the blocks before */
        return send_again(t);
    }
    if (!is_success(m))
        return STEP_END;
    /* Final for a part of the body without a word of blocks: the server took the part for the whole. */
    if (has < 0 || (m->code == COPAL_CONTINUE ? last : !last && !has))
        return COPAL_EFORMAT;
    t->sent += piece;
    if (has && block.szx < t->szx_)
        t->szx_ = block.szx; /* section 2.5: the size that the server prefers, from now on */
    if (t->progress && piece > 0)
        t->progress(t);
    return last ? STEP_BODY : STEP_NEXT;
}

/* ---- the answer's body ------------------------------------------------------------------------------------- */

static void abandon_fetch(copal_transfer_t *t, copal_time_t now)
{
    if (is_open(t->exchange_))
        copal_request_cancel(t->endpoint_, now, t->exchange_);
    t->exchange_ = none;
}

static void abandon_observation(copal_transfer_t *t, copal_time_t now)
{
    if (is_open(t->observation_))
        copal_request_deregister(t->endpoint_, now, t->observation_);
    t->observation_ = none;
}

static bool may_start_over(const copal_transfer_t *t) { return t->resuming_ || (is_safe(t) && !t->started_over_); }

/* The state changed while it was fetched: from the start, but once only, or a busy resource would hold us for ever. */
static int start_over(copal_transfer_t *t)
{
    if (!may_start_over(t))
        return COPAL_EFORMAT;
    t->started_over_ = !t->resuming_;
    t->resuming_ = t->fetching_ = false;
    t->sent = t->received = t->total = 0;
    t->tag_ = 0;
    t->szx_ = wanted_szx(t);
    return STEP_NEXT;
}

static bool has_etag(const copal_transfer_t *t, const copal_option_t *etag)
{
    return etag->value.size == t->etag_size && (!t->etag_size || !memcmp(etag->value.data, t->etag, t->etag_size));
}

static int take_piece(copal_transfer_t *t, const copal_response_t *response)
{
    const copal_message_t *m = response->message;
    copal_option_t size2;
    if (copal_option_find(m, COPAL_OPTION_SIZE2, &size2))
        t->total = copal_option_uint(&size2);
    int status = t->write(t, t->received, m->payload);
    if (status < 0) {
        abandon_observation(t, response->now); /* the next state would be taken no better */
        return status;
    }
    t->received += m->payload.size;
    t->resuming_ = false;
    if (t->progress)
        t->progress(t);
    return 0;
}

/* Whether a block is the one whose turn it is; `offset` is where it begins. */
static bool is_next(const copal_transfer_t *t, const copal_block_t *block, size_t offset, size_t size)
{
    return offset == t->received && (!block->more || size == octets_of(block->szx));
}

/* A first block that is tiny, of an answer for which no size was asked: it is what a server gives to an address that it
 * does not know yet, or all that it can. Which of both, it says when a size is asked for, and what it uses then counts
 * (RFC 7959 section 2.4). */
static bool is_tiny(const copal_transfer_t *t, const copal_block_t *block)
{
    return !t->blocks && !t->asked_larger_ && !t->fetching_ && is_safe(t) && !t->request.observe && block->more &&
           block->szx <= TINY && block->szx < wanted_szx(t);
}

/* Whether to ask for the wanted size once more, after tiny blocks: by now the server may have found out that our address is real.
 * Each time as much as before has come, so it costs nothing where the server can do no more. A size may change where a
 * block of the new one begins; a server that does not like that is asked no more, once the transfer has begun anew. */
static bool asks_again(const copal_transfer_t *t)
{
    const uint8_t wanted = wanted_szx(t);
    return t->szx_ <= TINY && t->szx_ < wanted && t->received >= octets_of(wanted) &&
           !(t->received & (t->received - 1)) && is_safe(t) && !t->started_over_;
}

/* Asked for a large block the server gave the small one of the same number, which lies elsewhere. Some do, though that
 * number has a meaning in the size asked for only. */
static bool keeps_number(const copal_transfer_t *t, const copal_block_t *block)
{
    return t->fetching_ && t->received && block->szx < t->szx_ && block->number * octets_of(t->szx_) == t->received;
}

static int take_body(copal_transfer_t *t, const copal_response_t *response)
{
    const copal_message_t *m = response->message;
    copal_block_t block = {0};
    copal_option_t etag = {0};
    const bool gone = m->code == COPAL_BAD_REQUEST || m->code == COPAL_REQUEST_ENTITY_INCOMPLETE;
    if (gone && t->fetching_ && may_start_over(t))
        return start_over(t); /* there is no such block (any more): the state may be a shorter one */
    if (!is_success(m) || m->code == COPAL_VALID || !t->write)
        return STEP_END;
    const int has = find_block(m, COPAL_OPTION_BLOCK2, &block);
    const size_t offset = block.number * octets_of(block.szx);
    if (!has || (t->resuming_ && offset == 0))
        t->received = 0; /* complete in itself, whatever was asked for; or not what was asked for, but the start */
    if (has > 0 && keeps_number(t, &block)) {
        t->szx_ = block.szx;
        return STEP_NEXT;
    }
    if (has < 0 || m->code == COPAL_CONTINUE || !is_next(t, &block, offset, m->payload.size))
        return t->resuming_ ? start_over(t) : COPAL_EFORMAT;
    if (t->moved_ && t->fetching_ && block.more && block.szx < t->szx_) {
        t->moved_ = false; /* a server may send less to an address that it does not know yet; now it was told of this */
        return STEP_NEXT;
    }
    t->moved_ = false;
    if (is_tiny(t, &block)) {
        t->asked_larger_ = true;
        return STEP_NEXT;
    }
    if (!copal_option_find(m, COPAL_OPTION_ETAG, &etag))
        etag.value.size = 0;
    if (offset > 0 && !has_etag(t, &etag))
        return start_over(t); /* section 2.4: "the client [...] MUST compare ETag Options" */
    t->etag_size = (uint8_t)etag.value.size;
    if (t->etag_size)
        memcpy(t->etag, etag.value.data, t->etag_size);
    const int status = take_piece(t, response);
    if (status < 0 || !block.more)
        return status;
    t->szx_ = block.szx;
    if (asks_again(t))
        t->szx_ = wanted_szx(t);
    t->fetching_ = true;
    return STEP_NEXT;
}

/* ---- outcomes ------------------------------------------------------------------------------------------------ */

#define LONG UINT8_MAX /* a given token that is not kept */

static void remember_token(copal_transfer_t *t, copal_bytes_t token)
{
    t->token_size_ = token.size <= sizeof t->token_ ? (uint8_t)token.size : LONG;
    if (token.size && t->token_size_ != LONG)
        memcpy(t->token_, token.data, token.size);
}

/* An observation is known by its own token, whichever its state was fetched with. */
static copal_bytes_t known_by(const copal_transfer_t *t, const copal_response_t *response)
{
    if (!t->request.observe || t->token_size_ == LONG)
        return response->token;
    return (copal_bytes_t){t->token_, t->token_size_};
}

/* The last that is done in each call: `done` may start the transfer anew. */
static void finish(copal_transfer_t *t, const copal_response_t *response, int status)
{
    copal_response_t outcome = *response;
    t->live_ = is_open(t->observation_);
    outcome.status = status;
    outcome.id = t->id_;
    outcome.ended = !t->live_;
    outcome.token = known_by(t, response);
    if (status < 0)
        outcome.message = NULL;
    t->done(t, &outcome);
}

static void take_response(copal_transfer_t *t, const copal_response_t *response)
{
    int step = t->fetching_ ? STEP_BODY : take_acknowledgement(t, response->message);
    if (step == STEP_BODY)
        step = take_body(t, response);
    if (step == STEP_NEXT) {
        step = ask(t, response->now, false, response->token);
        if (is_open(t->exchange_))
            return;
    }
    finish(t, response, step);
}

/* A new state: what was fetched of the one before is of no use (RFC 7959 section 2.6). */
static void begin_state(copal_transfer_t *t, copal_time_t now)
{
    abandon_fetch(t, now);
    t->received = t->total = 0;
    t->fetching_ = t->resuming_ = t->started_over_ = false;
}

static void receive(copal_receiver_t *self, const copal_response_t *response)
{
    copal_transfer_t *t = (copal_transfer_t *)(void *)((uint8_t *)self - offsetof(copal_transfer_t, receiver_));
    const copal_handle_t *observation = &t->observation_;
    const bool observed = is_open(*observation) && response->request.slot == observation->slot &&
                          response->request.generation == observation->generation;
    if (observed)
        remember_token(t, response->token);
    else
        t->exchange_ = none;
    if (observed && response->ended)
        t->observation_ = none;
    if (observed && (response->ended || !response->status))
        begin_state(t, response->now);
    if (response->status < 0)
        finish(t, response, response->status);
    else
        take_response(t, response);
}

/* ---- the application's side ---------------------------------------------------------------------------------- */

static bool is_sound(const copal_transfer_t *t)
{
    const size_t block = octets_of(wanted_szx(t));
    return (!t->block_size || t->block_size == block) && t->resume_at % block == 0 && (!t->size || t->read);
}

int copal_transfer_start(copal_endpoint_t *e, copal_time_t now, copal_transfer_t *t)
{
    if (!is_sound(t))
        return COPAL_EINVAL;
    if (t->size > octets_of(wanted_szx(t)) * (NUMBER_MOST + 1u))
        return COPAL_ESPACE;
    t->receiver_.receive = receive;
    t->endpoint_ = e;
    t->exchange_ = t->observation_ = none;
    t->tag_ = 0;
    t->szx_ = wanted_szx(t);
    t->in_blocks_ = t->sent_again_ = t->started_over_ = t->moved_ = t->asked_larger_ = false;
    t->sent = t->total = 0;
    t->fetching_ = t->resuming_ = t->resume_at > 0 && t->etag_size > 0 && !t->request.observe && !t->size;
    t->received = t->resuming_ ? t->resume_at : 0;
    const int status = ask(t, now, t->request.observe, (copal_bytes_t){0});
    t->live_ = is_open(t->exchange_) || is_open(t->observation_);
    if (status < 0)
        copal_transfer_cancel(t, now);
    else
        t->id_ = (uint16_t)status;
    return status;
}

int copal_transfer_cancel(copal_transfer_t *t, copal_time_t now)
{
    if (!t->live_)
        return COPAL_ESTALE;
    t->live_ = false;
    abandon_fetch(t, now);
    abandon_observation(t, now);
    return 0;
}

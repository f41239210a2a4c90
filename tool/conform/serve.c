/* The server that plays cases with a client: one socket, one loop; each case sees the messages that are its own. */
#define _DEFAULT_SOURCE 1 /* getentropy */
#define _POSIX_C_SOURCE 200809L
#include "conform.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { LARGEST = 65535, BATCH = 256, IDS = 1000 };
enum { LONGEST_TOKEN = 1000 }; /* octets: what has one that an answer has no room for is not heard */
enum { LIST_SIZE = 8192, LIST_BLOCK = 5 /* of 512 octets */, LINK_FORMAT = 40 };

typedef struct {
    conform_result_t *result;
    void (*told)(const conform_t *c);
    int fd;
    size_t left;
    bool *known; /* was told */
    char list[LIST_SIZE];
    conform_t other; /* what is no case, or no longer */
} server_t;

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static int open_socket(const char *address, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
    int error = getaddrinfo(address, port, &hints, &found);
    if (error) {
        tool_say("%s: %s\n", address, gai_strerror(error));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen)) {
        tool_say("%s, port %s: %s\n", address, port, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/** From now on these come in pselect, and nowhere else. */
static void hold_signals(void)
{
    struct sigaction action = {.sa_handler = end};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int conform_listen(conform_target_t *target)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    int fd = open_socket(target->address, target->port);
    if (fd < 0)
        return fd;
    int error = getsockname(fd, (struct sockaddr *)&bound, &size) ? EAI_SYSTEM
        : getnameinfo((struct sockaddr *)&bound, size, target->address, sizeof target->address, target->port,
                      sizeof target->port, NI_NUMERICHOST | NI_NUMERICSERV);
    if (error) {
        tool_say("this machine does not tell its address: %s\n", gai_strerror(error));
        close(fd);
        return -1;
    }
    snprintf(target->own, sizeof target->own, strchr(target->address, ':') ? "coap://[%s]:%s" : "coap://%s:%s",
             target->address, target->port);
    target->uri = target->own;
    hold_signals();
    return fd;
}

/* ---- whose a message is -------------------------------------------------------------------------------------------- */

static bool is_at(const copal_message_t *message, const char *path)
{
    uint8_t octets[CONFORM_PATH_SIZE];
    int size = copal_path_encode(octets, sizeof octets, copal_text(path));
    copal_message_t named = {.options = {octets, (size_t)size}};
    copal_option_reader_t wanted = copal_message_options(&named), reader = copal_message_options(message);
    copal_option_t one, other;
    bool more = copal_option_next(&wanted, &one);
    while (copal_option_next(&reader, &other)) {
        if (other.number != COPAL_OPTION_URI_PATH)
            continue;
        if (!more || !conform_same(one.value, other.value))
            return false;
        more = copal_option_next(&wanted, &one);
    }
    return !more;
}

static bool is_peer(const conform_t *c, const struct sockaddr_storage *peer, socklen_t size)
{
    return c->peer_size == size && memcmp(&c->peer, peer, size) == 0;
}

static bool has_sent(const conform_t *c, uint16_t id)
{
    for (const conform_datagram_t *d = c->log; d; d = d->next)
        if (d->outgoing && d->size >= 4 && (d->octets[2] << 8 | d->octets[3]) == id)
            return true;
    return false;
}

/** The case that a message belongs to: a request by its path, an Acknowledgement or a Reset by what it is to. */
static conform_t *find(server_t *s, const copal_message_t *message, const struct sockaddr_storage *peer,
                       socklen_t size)
{
    bool request = conform_is_request(message), reply = message->type == COPAL_ACK || message->type == COPAL_RST;
    for (size_t i = 0; i < s->result->count; i++) {
        conform_t *c = &s->result->cases[i];
        if (request && is_at(message, c->subject->path))
            return c;
        if (reply && is_peer(c, peer, size) && has_sent(c, message->id))
            return c;
    }
    return NULL;
}

/* ---- what is no part of a case ---------------------------------------------------------------------------------------- */

static void make_list(server_t *s)
{
    char *at = s->list;
    for (size_t i = 0; i < s->result->count; i++) {
        const conform_case_t *row = s->result->cases[i].subject;
        at += snprintf(at, LIST_SIZE - (size_t)(at - s->list), "%s</%s>;title=\"%s\"", i ? "," : "", row->path,
                       row->task);
        if (at >= s->list + LIST_SIZE)
            abort(); /* the rows of this program have more than there is room for */
    }
}

static void answer_plainly(conform_t *c, const copal_message_t *request, copal_code_t code, copal_bytes_t payload)
{
    conform_ask_t answer;
    conform_answer(c, &answer, request, request->type == COPAL_CON ? COPAL_ACK : COPAL_NON, code);
    answer.payload = payload;
    conform_send_ask(c, &answer);
}

/** The list, in blocks (RFC 7959 section 2.4). */
static void answer_list(server_t *s, const copal_message_t *request)
{
    copal_block_t block = {.szx = LIST_BLOCK};
    copal_option_t option;
    if (copal_option_find(request, COPAL_OPTION_BLOCK2, &option) &&
        copal_block_decode(&block, copal_option_uint(&option))) {
        answer_plainly(&s->other, request, COPAL_BAD_REQUEST, (copal_bytes_t){0});
        return;
    }
    if (block.szx > LIST_BLOCK)
        block.szx = LIST_BLOCK; /* of the first block, since others follow from what it was answered with */
    size_t size = (size_t)16 << block.szx, from = block.number * size, all = strlen(s->list);
    from = from < all ? from : all;
    block.more = all - from > size;
    conform_ask_t answer;
    conform_answer(&s->other, &answer, request, request->type == COPAL_CON ? COPAL_ACK : COPAL_NON, COPAL_CONTENT);
    conform_uint(&answer, COPAL_OPTION_CONTENT_FORMAT, LINK_FORMAT);
    conform_uint(&answer, COPAL_OPTION_BLOCK2, copal_block_encode(&block));
    answer.payload = (copal_bytes_t){(const uint8_t *)s->list + from, block.more ? size : all - from};
    conform_send_ask(&s->other, &answer);
}

/** What is no part of a case that is played; `concluded`: it was of that one, or NULL. */
static void serve_other(server_t *s, const copal_message_t *message, const conform_t *concluded)
{
    if (!conform_is_request(message)) {
        if (message->type == COPAL_CON)
            conform_send_empty(&s->other, COPAL_RST, message->id); /* a ping, or what nobody expects */
    } else if (concluded) {
        answer_plainly(&s->other, message, COPAL_CONTENT, copal_text(conform_outcome(concluded)));
    } else if (message->code == COPAL_GET && (is_at(message, "") || is_at(message, ".well-known/core"))) {
        answer_list(s, message);
    } else {
        answer_plainly(&s->other, message, COPAL_NOT_FOUND, (copal_bytes_t){0});
    }
}

/* ---- cases ---------------------------------------------------------------------------------------------------------- */

/** A case begins with its first client, and anew with another that asks before it is over. */
static void begin(conform_t *c, const struct sockaddr_storage *peer, socklen_t size)
{
    conform_close(c);
    c->log = c->last = c->first = NULL;
    c->log_end = &c->log;
    c->begun = conform_now();
    c->peer = *peer;
    c->peer_size = size;
    c->step = 0;
    c->tries = 0;
    c->received = c->block = 0;
    c->due = 0;
}

static void tell_concluded(server_t *s)
{
    for (size_t i = 0; i < s->result->count; i++) {
        conform_t *c = &s->result->cases[i];
        if (s->known[i] || c->verdict == VERDICT_NONE)
            continue;
        s->known[i] = true;
        s->left--;
        c->due = 0;
        if (s->told)
            s->told(c);
    }
}

static void take(server_t *s, copal_bytes_t datagram, const struct sockaddr_storage *peer, socklen_t size)
{
    copal_message_t message;
    if (copal_message_parse(&message, datagram) || message.token.size > LONGEST_TOKEN)
        return;
    conform_t *found = find(s, &message, peer, size);
    bool played = found && found->verdict == VERDICT_NONE;
    conform_t *c = played ? found : &s->other;
    if (!played || !is_peer(c, peer, size))
        begin(c, peer, size);
    conform_keep(c, false, datagram);
    copal_message_parse(&message, (copal_bytes_t){c->last->octets, c->last->size}); /* a view that stays */
    if (!played) {
        serve_other(s, &message, found);
        return;
    }
    if (!c->first) {
        c->first = c->last;
        c->request = message;
    }
    c->subject->play(c, &message);
}

static int64_t earliest(const server_t *s)
{
    int64_t at = 0;
    for (size_t i = 0; i < s->result->count; i++) {
        int64_t due = s->result->cases[i].due;
        if (due && (!at || due < at))
            at = due;
    }
    return at;
}

static void wait_for_something(server_t *s, const sigset_t *open)
{
    int64_t at = earliest(s), left = at - conform_now();
    left = left > 0 ? left : 0;
    struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(s->fd, &readable);
    if (pselect(s->fd + 1, &readable, NULL, NULL, at ? &time : NULL, open) <= 0)
        return;
    for (int i = 0; i < BATCH; i++) { /* what has come in time is taken before anything is too late */
        uint8_t octets[LARGEST];
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        ssize_t got = recvfrom(s->fd, octets, sizeof octets, MSG_DONTWAIT, (struct sockaddr *)&peer, &size);
        if (got < 0)
            return;
        take(s, (copal_bytes_t){octets, (size_t)got}, &peer, size);
    }
}

static void play_due(server_t *s)
{
    for (size_t i = 0; i < s->result->count; i++) {
        conform_t *c = &s->result->cases[i];
        if (c->verdict != VERDICT_NONE || !c->due || c->due > conform_now())
            continue;
        c->due = 0;
        c->subject->play(c, NULL);
    }
}

static void loop(server_t *s)
{
    sigset_t open;
    sigprocmask(SIG_BLOCK, NULL, &open);
    sigdelset(&open, SIGINT);
    sigdelset(&open, SIGTERM);
    while (s->left && !ended) {
        wait_for_something(s, &open);
        play_due(s);
        tell_concluded(s);
    }
    for (size_t i = 0; i < s->result->count; i++)
        conform_not_applicable(&s->result->cases[i],
                               s->result->cases[i].log ? "it was not over" : "nobody asked for it");
    tell_concluded(s);
}

bool conform_serve(conform_result_t *result, int fd, void (*told)(const conform_t *c))
{
    uint16_t drawn;
    if (getentropy(&drawn, sizeof drawn))
        return false;
    server_t *s = conform_memory(calloc(1, sizeof *s));
    *s = (server_t){.result = result, .told = told, .fd = fd, .left = result->count, .other = {.fd = fd, .id = drawn}};
    s->known = conform_memory(calloc(result->count + 1, sizeof *s->known));
    for (size_t i = 0; i < result->count; i++) {
        result->cases[i].fd = fd;
        result->cases[i].id = (uint16_t)(drawn + (i + 1) * IDS); /* none is another's */
    }
    make_list(s);
    loop(s);
    conform_close(&s->other);
    free(s->known);
    free(s);
    return true;
}

/* copal conform: what its files share. A case is a row: its name carries RFC and section, `run` sends and judges. It has a
 * socket and a thread of its own while it runs, so it is written as one would tell it: send this, wait for that. */
#ifndef COPAL_CONFORM_H
#define COPAL_CONFORM_H

#include "../tool.h"
#include "copal/link.h"

#include <sys/socket.h>

typedef struct conform_t conform_t;

/* ---- cases (rfc*.c) -------------------------------------------------------------------------------------------- */

typedef enum { CONFORM_MUST, CONFORM_SHOULD } conform_level_t;

/* What of the target a case needs; without it the case is not applicable. */
typedef enum { ROLE_VALUE, ROLE_PUT, ROLE_LARGE, ROLE_OBSERVE, ROLE_SEPARATE, ROLE_COUNT } conform_role_t;
#define NEEDS(role) (1u << ROLE_##role)

typedef struct {
    uint16_t number, size;
    const uint8_t *value;
} conform_option_t;
/** An option of a row, with the octets of a string literal as its value. */
#define OPTION(number, literal)                                 \
    {                                                           \
        number, sizeof(literal) - 1, (const uint8_t *)(literal) \
    }
/** Octets of a row: a whole datagram, whose message ID (its third and fourth octet) is drawn anew. */
#define OCTETS(literal)                                 \
    {                                                   \
        (const uint8_t *)(literal), sizeof(literal) - 1 \
    }

/* What is right in answer to what a row sends. */
typedef enum {
    EXPECT_CODES,        /* a response with one of `codes` */
    EXPECT_RESET,        /* a Reset */
    EXPECT_SILENCE,      /* nothing at all */
    EXPECT_REJECTED,     /* nothing, or a Reset: how a Non-confirmable message is rejected */
    EXPECT_ACKNOWLEDGED, /* an empty Acknowledgement */
} conform_expectation_t;

typedef struct {
    const char *name; /* "rfc7252_4.2_...": a sentence about what is right */
    const char *says; /* what the section says */
    bool (*run)(conform_t *c);
    unsigned needs; /* NEEDS(...) of each */
    conform_level_t level;
    /* What conform_run_octets and conform_run_request send, and what is right in answer to it. */
    copal_bytes_t octets;
    copal_type_t type;
    copal_code_t code;
    conform_option_t options[3]; /* besides the path of the first resource that is needed; a NULL value ends them */
    const char *payload;
    conform_expectation_t expect;
    copal_code_t codes[3]; /* 0 ends them */
    bool other_token; /* of a client's case: the response that the row says has not the token of the request */
    /* Of a case that is played with a client: where it asks for it, what it is told to do, and what is done with each message
     * of it; NULL: the time that was set is over. Step 0 is its first request. */
    const char *path, *task;
    void (*play)(conform_t *c, const copal_message_t *came);
} conform_case_t;

typedef struct {
    const conform_case_t *cases;
    size_t count;
} conform_suite_t;

extern const conform_suite_t conform_rfc7252_messages, conform_rfc7252_requests, conform_rfc7252_effects,
    conform_rfc7252_separate, conform_rfc7641, conform_rfc7959, conform_rfc7967, conform_rfc8132, conform_rfc8974,
    conform_rfc9175;

/** All of them in the order in which they are reported; ends with NULL. */
extern const conform_suite_t *const conform_suites[];

/** The same of those that are played with a client. */
extern const conform_suite_t conform_clients_rfc7252, conform_clients_rfc7641, conform_clients_bodies;
extern const conform_suite_t *const conform_client_suites[];

/** The RFC's number and the section of a case: views into its name. */
void conform_section(const conform_case_t *subject, copal_bytes_t *rfc, copal_bytes_t *section);

/* ---- the target (target.c) ------------------------------------------------------------------------------------- */

enum { CONFORM_PATH_SIZE = 255 };

typedef struct {
    const char *uri;
    char address[64], port[8]; /* numeric */
    char own[80];              /* the URI, where it is made of these */
    copal_bytes_t host;            /* for Uri-Host; empty: the URI has a literal address */
    const char *named[ROLE_COUNT]; /* by options: paths as text; or what was found */
    char found[ROLE_COUNT][CONFORM_PATH_SIZE];
    struct {
        uint8_t octets[CONFORM_PATH_SIZE];
        copal_bytes_t encoded; /* the Uri-Path options */
    } paths[ROLE_COUNT];
    uint32_t timeout; /* ms until an answer is missing */
    uint32_t silence; /* ms to wait for what must not come */
} conform_target_t;

/** The option that names a role, without its dashes. */
const char *conform_role_name(conform_role_t role);

/** Encodes the paths that were named. The first role that cannot be, or ROLE_COUNT. */
conform_role_t conform_take_paths(conform_target_t *target);

/** Looks for resources that were not named, by what the server lists and how it answers a GET. False: it answers nothing. */
bool conform_explore(conform_target_t *target);

/* ---- a case that runs (wire.c, log.c, ask.c) ---------------------------------------------------------------------------- */

typedef enum { VERDICT_NONE, VERDICT_PASSED, VERDICT_FAILED, VERDICT_NOT_APPLICABLE } conform_verdict_t;

typedef struct conform_datagram_t {
    struct conform_datagram_t *next;
    bool outgoing;
    int64_t at; /* ms since the case began */
    size_t size;
    uint8_t octets[];
} conform_datagram_t;

enum { CONFORM_HELD = 8, CONFORM_TIMED = 12 };

struct conform_t {
    const conform_case_t *subject;
    const conform_target_t *target;
    void *user; /* of a run that is no case: exploring */
    int fd;
    int64_t begun;
    uint16_t id; /* of the last message sent */
    conform_datagram_t *log, **log_end, *last;
    int32_t rejected;                   /* the message ID of what a Reset may reject, at any time; -1: none */
    copal_message_t held[CONFORM_HELD]; /* what came besides what answers what was asked; conform_next hands it out */
    size_t held_count;
    conform_verdict_t verdict;
    char reason[256];
    /* Of one that is played with a client. */
    struct sockaddr_storage peer;
    socklen_t peer_size; /* 0: the socket is connected */
    int step;
    int64_t due;                /* ms on conform_now's clock; 0: nothing is waited for */
    copal_message_t request;    /* its first or latest, a view of the log */
    conform_datagram_t *first;  /* the same as it came */
    int64_t second;             /* ms since the case began: when it came again, or came at first */
    int64_t took[CONFORM_TIMED]; /* ms until a request came again, of as many as `tries` */
    unsigned tries;             /* how often the same was sent, or begun */
    uint16_t sent;              /* the message ID of what was sent, or of the latest request */
    size_t received;            /* octets of a body */
    size_t block;               /* the size of its blocks; 0: none is agreed on yet */
};

/** Runs one case to its end, between conform_open and conform_close. */
void conform_run(conform_t *c);
/** Prepares for running it: what it needs is there, or the verdict is set. */
void conform_open(conform_t *c, const conform_case_t *subject, const conform_target_t *target);
/** Gives back its log. */
void conform_close(conform_t *c);

/** Ends the case; both return false, so that a case can return them. */
__attribute__((format(printf, 2, 3))) bool conform_fail(conform_t *c, const char *format, ...);
__attribute__((format(printf, 2, 3))) bool conform_not_applicable(conform_t *c, const char *format, ...);

/** Milliseconds on a monotonic clock. */
int64_t conform_now(void);
/** Memory that is there: without it the program ends, and says so. */
void *conform_memory(void *allocated);

/** Adds a datagram to the log. */
void conform_keep(conform_t *c, bool outgoing, copal_bytes_t octets);
bool conform_send(conform_t *c, copal_bytes_t datagram);
/** The next message that comes before `until`, a view that lives as long as the case. False: none came, or what came is no
 *  well-formed message, which ends the case. A ping is answered, and not shown: a server may make sure of who asks. */
bool conform_receive(conform_t *c, int64_t until, copal_message_t *message);
/** The same, but first what came while something else was waited for. */
bool conform_next(conform_t *c, int64_t until, copal_message_t *message);
/** An Empty message: an acknowledgement or a Reset. */
bool conform_send_empty(conform_t *c, copal_type_t type, uint16_t id);

/** Whether two texts or values are the same. */
bool conform_same(copal_bytes_t a, copal_bytes_t b);

/** A request that is being made. Options may be added in any order; their values are borrowed. */
enum { CONFORM_OPTIONS = 24, CONFORM_DATAGRAM = 2048 };
typedef struct {
    copal_type_t type;
    copal_code_t code;
    uint16_t id;
    copal_bytes_t token, payload;
    conform_option_t options[CONFORM_OPTIONS];
    size_t count, numbers;
    uint8_t drawn[8], held[CONFORM_OPTIONS][4]; /* held: values of the unsigned integers */
    uint8_t datagram[CONFORM_DATAGRAM];
} conform_ask_t;

/** A CON request of the resource that plays `role`, with a message ID and a token of its own. */
void conform_ask(conform_t *c, conform_ask_t *ask, copal_code_t code, conform_role_t role);
/** The same of any path, "a/b". */
void conform_ask_path(conform_t *c, conform_ask_t *ask, copal_code_t code, const char *path);
void conform_option(conform_ask_t *ask, uint16_t number, copal_bytes_t value);
void conform_uint(conform_ask_t *ask, uint16_t number, uint32_t value);
/** Another message ID and another token: the same request once more. */
void conform_renew(conform_t *c, conform_ask_t *ask);
/** A response to a request: an ACK has its message ID, what is separate one of its own. */
void conform_answer(conform_t *c, conform_ask_t *answer, const copal_message_t *request, copal_type_t type,
                    copal_code_t code);
/** Sends it once. */
bool conform_send_ask(conform_t *c, conform_ask_t *ask);

/** Sends it and waits for what answers it, a response or a Reset, sending it again as RFC 7252 section 4.2 says; a separate
 *  response is acknowledged, a challenge by Echo is met. False: nothing came, which ends the case, or something wrong. */
bool conform_exchange(conform_t *c, conform_ask_t *ask, copal_message_t *answer);

/** What a message is to a request (RFC 7252 section 5.3.2); allowed is a Reset for conform_t's `rejected`. */
typedef enum { CONFORM_UNRELATED, CONFORM_ALLOWED, CONFORM_ACKNOWLEDGED, CONFORM_ANSWERED } conform_relation_t;
conform_relation_t conform_relate(conform_t *c, const conform_ask_t *ask, const copal_message_t *message);

/* ---- what is right (expect.c) -------------------------------------------------------------------------------------- */

/** "ACK 2.05 Content" into `text`; returns it. */
enum { CONFORM_TEXT = 64 };
const char *conform_text(char *text, const copal_message_t *message);

/** Whether the server still answers, but has sent nothing else and sends nothing for target->silence: no silence is one of a
 *  server that has gone. */
bool conform_expect_silence(conform_t *c);

/** Whether the answer is a response with one of `codes` (0 ends them); else the case fails. */
bool conform_expect_codes(conform_t *c, const copal_message_t *answer, const copal_code_t *codes);
bool conform_expect_code(conform_t *c, const copal_message_t *answer, copal_code_t code);

/** PUTs a text to ROLE_PUT. False: it was not taken, and so the case is not applicable. */
bool conform_put(conform_t *c, const char *text);
/** GETs a resource that is there: 2.05. */
bool conform_get(conform_t *c, conform_role_t role, copal_message_t *answer);
/** Whether ROLE_PUT is, or is not, of this text. */
bool conform_expect_text(conform_t *c, const char *text, bool is);
/** Whether a Content-Format is in both messages the same, or in neither. */
bool conform_same_format(const copal_message_t *a, const copal_message_t *b);

/** The common runs; see conform_case_t. */
bool conform_run_octets(conform_t *c);
bool conform_run_request(conform_t *c);

/* ---- what cases with a client share (clients.c) ---------------------------------------------------------------------- */

/** When the case is played again if nothing has come. */
void conform_due_in(conform_t *c, int64_t milliseconds);
bool conform_is_request(const copal_message_t *came);
/** Whether it is the first request, and a Confirmable one; with another the case is not applicable. */
bool conform_begins(conform_t *c, const copal_message_t *came);
/** Answers the request as it should be, and ends the case well. */
void conform_conclude(conform_t *c, copal_type_t type);

/* ---- running all, and telling (schedule.c, report.c, json.c, junit.c) ------------------------------------------------------------- */

typedef struct {
    const conform_target_t *target;
    conform_t *cases; /* in the order of the suites */
    size_t count;
} conform_result_t;

/** Runs `result->cases`, at most `parallel` at a time, and calls `told` for each in their order, as soon as it and all before
 *  it are done; NULL: nobody wants to know. What writes runs one at a time. False: this machine starts no thread. */
bool conform_schedule(conform_result_t *result, size_t parallel, void (*told)(const conform_t *c));

/** A socket at the target's address and port, which become those that it has, as does the URI; from then on
 *  SIGINT and SIGTERM end the playing only. -1 after saying why not. */
int conform_listen(conform_target_t *target);
/** Plays cases on that socket with whatever client asks, until all are concluded or SIGINT or SIGTERM ends it; calls `told` for
 *  each as it is. False: this machine has no randomness. */
bool conform_serve(conform_result_t *result, int fd, void (*told)(const conform_t *c));

/** "ok", "FAIL", "warn" or "n/a": a SHOULD that is not kept is a warning. */
const char *conform_outcome(const conform_t *c);
/** How many cases came to each of these. */
enum { CONFORM_FAILED = 1, CONFORM_OUTCOMES = 4 };
extern const char *const conform_outcomes[CONFORM_OUTCOMES];
void conform_count(const conform_result_t *result, size_t counts[CONFORM_OUTCOMES]);

/** A case's line, and of one that is not right what was sent, what came and what the RFC says. */
void conform_tell(const conform_t *c);
/** The last line. */
void conform_tell_summary(const conform_result_t *result);
/** What was sent and what came; of much, the end. */
void conform_print_log(FILE *stream, const conform_t *c);
/** All of it as one JSON object on standard output. */
void conform_print_json(const conform_result_t *result);
/** All of it as JUnit's XML to `stream`, which is closed. False: it could not be written, and errno says why. */
bool conform_write_junit(const conform_result_t *result, FILE *stream);

#endif

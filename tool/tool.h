/* What the files of the tool share. The tool is a face of copal: it translates between a shell and copal/host.h. */
#ifndef COPAL_TOOL_H
#define COPAL_TOOL_H

#include "copal/host.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses; docs/man/copal.1 promises them. */
enum {
    TOOL_OK,        /* a 2.xx response; for serve: ended by a signal */
    TOOL_REFUSED,   /* a 4.xx or 5.xx response; what this machine refused: an address to serve on, memory, writing */
    TOOL_USAGE,     /* what was typed cannot be done; a file that was named cannot be opened */
    TOOL_NO_ANSWER, /* time-out, Reset, unreachable, no such host */
};

/* ---- commands (main.c) and their options (arguments.c) -------------------------------------------- */

typedef struct {
    int id;               /* the short option's letter; above 255: there is none */
    const char *name;     /* the long option */
    const char *argument; /* what follows it, for --help; NULL: nothing does */
    const char *text;     /* for --help */
} tool_option_t;

typedef struct tool_command_t {
    const char *name;
    const char *operands;         /* for the usage line */
    const char *summary;          /* one line, no full stop */
    const char *notes;            /* printed below the options; may be NULL */
    const tool_option_t *options; /* ends with a NULL name; --help is added to each */
    int (*run)(const struct tool_command_t *command, int argc, char **argv);
} tool_command_t;

extern const tool_command_t tool_serve, tool_get, tool_put, tool_post, tool_delete, tool_fetch, tool_patch, tool_observe,
    tool_discover, tool_ping, tool_bench, tool_conform, tool_help;

/** All commands in the order of `copal help`; ends with NULL. */
extern const tool_command_t *const tool_commands[];

/** The command `name`, or NULL after saying on standard error which one may have been meant. */
const tool_command_t *tool_find_command(const char *name);

enum { TOOL_END = -1, TOOL_WRONG = -2, TOOL_HELP = -3 };

/** The next option of `argv` by its id, `*value` its argument. TOOL_END: only operands are left, from argv[optind] on.
 *  TOOL_WRONG: it was wrong, and standard error says how. TOOL_HELP: --help was asked for. */
int tool_next_option(const tool_command_t *command, int argc, char **argv, const char **value);

/** Takes all options of `argv` by `take`, which returns 0 or says what is wrong; --help is printed. Returns -1 to go on, else the
 *  exit status. */
int tool_take_options(const tool_command_t *command, int argc, char **argv,
                      int (*take)(const tool_command_t *command, void *context, int id, const char *value), void *context);

/** Prints an error of the usage of `command`. Returns TOOL_USAGE. */
__attribute__((format(printf, 2, 3))) int tool_usage_error(const tool_command_t *command, const char *format, ...);

/** The same for an option of it or its value, which --help says more about; says that, too. */
__attribute__((format(printf, 2, 3))) int tool_option_error(const tool_command_t *command, const char *format, ...);

/** Prints "copal: …" on standard error. */
__attribute__((format(printf, 1, 2))) void tool_say(const char *format, ...);

/** Flushes standard output. False: not all that was printed has got there, and the user was told so. */
bool tool_flush(void);

/** Hands this and errors of usage to `say` from now on, instead of printing them. */
typedef void (*tool_teller_t)(const char *format, va_list arguments);
void tool_say_by(tool_teller_t say);

/** Prints the help of `command` on standard output. */
void tool_print_help(const tool_command_t *command);

/** Prints what copal is and all commands. */
void tool_print_commands(FILE *stream);

/** Which of `names` (ends with NULL) `word` may have been meant for, in whatever case; NULL: none is near. */
const char *tool_nearest(const char *word, const char *const *names);

/* ---- values of options (values.c) ------------------------------------------------------------------ */

/** Text, or octets in hexadecimal behind "0x", to octets in `buffer`. False: not hexadecimal, or over `capacity`. */
bool tool_parse_octets(const char *text, uint8_t *buffer, size_t capacity, copal_bytes_t *octets);
/** A decimal number of `least` to `most`. */
bool tool_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);
/** Seconds with decimals to milliseconds, 1 to 2^32 - 1. */
bool tool_parse_seconds(const char *text, uint32_t *milliseconds);
/** A number of octets with K, M or G behind it. */
bool tool_parse_size(const char *text, size_t *size);

/* ---- DTLS (backend.c, secure.c, keys.c) ------------------------------------------------------------------------- */

#define TOOL_OPTION_PSK      400
#define TOOL_OPTION_PSK_FILE 401
#define TOOL_OPTION_IDENTITY 402
#define TOOL_OPTION_HINT     403
#define TOOL_OPTION_CERT     404
#define TOOL_OPTION_KEY      405
#define TOOL_OPTION_CA       406
#define TOOL_ROW_PSK                                                                         \
    {                                                                                        \
        TOOL_OPTION_PSK, "psk", "KEY", "a pre-shared key: text, 0x1234, or @FILE" \
    }
#define TOOL_ROW_CERT                                                             \
    {                                                                             \
        TOOL_OPTION_CERT, "cert", "FILE", "show this certificate and its chain (PEM)" \
    }
#define TOOL_ROW_KEY                                                       \
    {                                                                      \
        TOOL_OPTION_KEY, "key", "FILE", "its key, if not in the same file" \
    }
/* What those who ask take. */
#define TOOL_ROWS_SECURE                                                                                  \
    TOOL_ROW_PSK, {TOOL_OPTION_IDENTITY, "identity", "ID", "the name by which the server knows it"}, \
        {TOOL_OPTION_PSK_FILE, "psk-file", "FILE", "the key from a file of identity:key lines"},          \
        {TOOL_OPTION_CA, "ca", "FILE", "believe these; 'system' for the machine's"},          \
        TOOL_ROW_CERT, TOOL_ROW_KEY

/** What was given of them. */
typedef struct {
    const char *key, *keys, *identity, *hint, *certificate, *private_key, *authorities;
} tool_secrets_t;

/** Takes an option in; false: it is another's. */
bool tool_secret_option(tool_secrets_t *secrets, int id, const char *value);
/** The name of one that was given; NULL: none was. */
const char *tool_secrets_given(const tool_secrets_t *secrets);

/** Keys by their identity; what a server's credentials look in. */
typedef struct tool_keys_t tool_keys_t;
/** NULL is allowed. */
void tool_keys_close(tool_keys_t *keys);

/** What does DTLS, loaded now if it was not before. NULL after saying why it cannot be. */
const copal_dtls_backend_t *tool_dtls(void);

/** Opens what the options, or else the environment, say. 0, or after saying what is wrong or missing TOOL_USAGE, or
 *  TOOL_REFUSED where there is nothing to do DTLS by. */
int tool_client_credentials(const tool_command_t *command, const tool_secrets_t *secrets, copal_credentials_t **credentials);
/** The same for a server, without the environment. `*keys`, NULL at first, lives as long as any such credentials are used; it is
 *  to be closed in any case. Where it is there already, as when files are read again, it has the new keys then, or on an error
 *  the former ones; not while a host runs that looks in it. */
int tool_server_credentials(const tool_command_t *command, const tool_secrets_t *secrets, tool_keys_t **keys,
                            copal_credentials_t **credentials);

/* ---- requests (request.c, target.c, outcome.c) ------------------------------------------------------ */

/* The options of everything that asks; each takes from these what makes sense for it. */
#define TOOL_OPTION_TIMEOUT       256
#define TOOL_OPTION_TOKEN         257
#define TOOL_OPTION_ETAG          258
#define TOOL_OPTION_IF_MATCH      259
#define TOOL_OPTION_IF_NONE_MATCH 260
#define TOOL_OPTION_BLOCK_SIZE    261
#define TOOL_OPTION_CONTINUE      262
#define TOOL_OPTION_IDEMPOTENT    263
#define TOOL_OPTION_NO_RESPONSE   264
#define TOOL_OPTION_HOP_LIMIT     265
#define TOOL_ROW_NON                                                 \
    {                                                                \
        'n', "non", NULL, "ask with a non-confirmable message (NON)" \
    }
#define TOOL_ROW_ACCEPT                                                            \
    {                                                                              \
        'a', "accept", "FORMAT", "ask for this Content-Format: a name or a number" \
    }
#define TOOL_ROW_FORMAT                                                                          \
    {                                                                                       \
        't', "content-format", "FORMAT", "the payload's Content-Format: a name or a number" \
    }
#define TOOL_ROW_FILE                                                                 \
    {                                                                            \
        'f', "file", "FILE", "take the payload from FILE; '-' is standard input" \
    }
#define TOOL_ROW_ETAG                                                                             \
    {                                                                                        \
        TOOL_OPTION_ETAG, "etag", "ETAG", "the state known already: text, or octets as 0x12" \
    }
#define TOOL_ROW_TOKEN                                                                   \
    {                                                                                    \
        TOOL_OPTION_TOKEN, "token", "TOKEN", "use this token: text, or octets as 0x1234" \
    }
#define TOOL_ROW_TIMEOUT(usual)                                                                        \
    {                                                                                                  \
        TOOL_OPTION_TIMEOUT, "timeout", "SECONDS", "wait at most so long, such as 2.5 (" usual ")" \
    }
#define TOOL_ROW_BLOCK_SIZE                                                                   \
    {                                                                                         \
        TOOL_OPTION_BLOCK_SIZE, "block-size", "N", "use blocks of 16, 32, ... 1024 octets" \
    }
#define TOOL_ROW_QUIET                                                   \
    {                                                                    \
        'q', "quiet", NULL, "no progress bar, which a terminal has else" \
    }
#define TOOL_ROW_OUTPUT                                                                      \
    {                                                                                        \
        'o', "output", "FILE", "write the payload to FILE, of any size" \
    }
#define TOOL_ROW_VERBOSE                                                        \
    {                                                                           \
        'v', "verbose", NULL, "show each message as it goes, on standard error" \
    }

#define TOOL_ROW_INTERFACE                                                                   \
    {                                                                                        \
        'i', "interface", "NAME", "ask groups on this interface only, such as eth0" \
    }

/* DEFAULT_LEISURE, in which a server answers what came by multicast (RFC 7252 section 8.2), and two seconds for the way. */
#define TOOL_GROUP_TIMEOUT (7u * 1000u)

/* MAX_TRANSMIT_WAIT: after that even the last retransmission has gone unanswered (RFC 7252 section 4.8.2). */
#define TOOL_DEFAULT_TIMEOUT (93u * 1000u)

/** What the options of a request come to. */
typedef struct {
    copal_ask_t ask;
    const char *file;   /* payload's, "-" is standard input */
    FILE *stream;       /* that file, while it is open */
    bool unreadable;    /* reading it failed, and standard error says why */
    const char *output; /* where the payload of the answer goes; NULL: to standard output as people and pipes like it */
    bool resume;        /* what an earlier run has left there */
    bool verbose, quiet;
    bool group;            /* the URI is that of many hosts */
    const char *interface; /* that these are asked on; NULL: all of them */
    tool_secrets_t secrets;
    uint8_t token[255], etag[8], if_match[8];
} tool_request_t;

/** Takes one option of a request in. 0, or TOOL_USAGE after saying what is wrong. */
int tool_request_option(const tool_command_t *command, tool_request_t *request, int id, const char *value);

/** Takes all options in. -1, or the exit status: --help was printed, or what is wrong was said. */
int tool_request_options(const tool_command_t *command, tool_request_t *request, int argc, char **argv);

/** Takes the URI in, and opens the credentials that it needs; 0, or after saying what is wrong and what to write
 *  instead TOOL_USAGE or, as tool_client_credentials, TOOL_REFUSED. A time-out that was not given becomes the usual one. */
int tool_take_uri(const tool_command_t *command, tool_request_t *request, const char *text, copal_uri_t *uri);

/** Gives back what a request has opened. */
void tool_close_request(tool_request_t *request);

/** A host for asking, with tracing if wanted. NULL after saying why not. */
copal_host_t *tool_open_client(const tool_request_t *request);
/** Closes it; a server is told that the session is over. */
void tool_close_client(const tool_request_t *request, copal_host_t *host);

/** Opens the file that a request takes its payload from: it is read while it is sent. What is no regular file is copied to a
 *  temporary one first. 0, or TOOL_USAGE after saying what is wrong. */
int tool_open_payload(const tool_command_t *command, tool_request_t *request);

/** Prints why a request got no answer; returns the exit status. `problem`: copal_host_problem's, or NULL or empty. */
int tool_no_answer(const tool_request_t *request, int error, const char *problem);

/** Prints the code line of an answer, and the location of what it created, on standard error. False: its payload is a
 *  diagnostic for people and was printed, too. */
bool tool_print_outcome(const copal_answer_t *answer);

/** Asks, prints the outcome's code line and what goes with it, and hands `answer` to `print`, where the payload is what
 *  was asked for. Returns the exit status. */
int tool_ask(const tool_request_t *request, void (*print)(const copal_answer_t *answer));

/* ---- groups (group.c) ------------------------------------------------------------------------------------ */

enum { TOOL_SENDER_SIZE = 128 };

/** What one host has answered. */
typedef struct {
    char uri[TOOL_SENDER_SIZE]; /* of the host */
    copal_peer_t sender;
    copal_code_t code;
    int32_t content_format; /* -1: none */
    uint8_t *payload;
    size_t size;
} tool_found_t;

/** The peers of a group on the interface that was asked for, or on all of them. How many; COPAL_EINVAL or COPAL_ESYSTEM after
 *  saying what is wrong. */
int tool_group_peers(const tool_command_t *command, const tool_request_t *request, const char *group, uint16_t port,
                     copal_peer_t *peers, int most);
/** Asks these, and waits until the time is over. `tell` is handed each answer as it comes, `print` all of them at the end, one
 *  for each sender; either may be NULL. Returns the exit status. */
int tool_ask_peers(const tool_request_t *request, const copal_peer_t *peers, size_t count,
                   void (*tell)(const tool_found_t *found), void (*print)(const tool_found_t *found, size_t count));
/** The same for the group that the request's URI names. */
int tool_ask_group(const tool_command_t *command, const tool_request_t *request,
                   void (*tell)(const tool_found_t *found), void (*print)(const tool_found_t *found, size_t count));
/** Prints an answer on a line behind its sender, or an error on standard error. */
void tool_print_found(const tool_found_t *found);

/* ---- transfers (progress.c, output.c) ------------------------------------------------------------------ */

/** A line on standard error, where that is a terminal and the transfer takes its time. */
typedef struct {
    bool wanted, drawn;
    int64_t begun, at; /* milliseconds; at: when it was drawn last */
    size_t done, moved, total;
} tool_progress_t;
void tool_progress_open(tool_progress_t *p, bool wanted);
void tool_progress_show(tool_progress_t *p, const copal_transfer_t *t);
/** Draws it for the last time and ends the line, if there is one. */
void tool_progress_close(tool_progress_t *p);

/** The file that a payload is written to. */
typedef struct {
    const char *name, *uri;
    char *part, *tag; /* names of the files that it grows in; NULL: it is written to directly */
    int fd;
    bool resumes;     /* an earlier run's octets are there, and nothing came yet */
    bool begun;       /* something came */
    int failed;       /* the exit status, where something could not be opened or written and standard error says why */
} tool_output_t;

/** Prepares for request->output, and `t` for going on where an earlier run ended. Nothing is made before octets come.
 *  0, or an exit status after saying what is wrong. */
int tool_output_open(tool_output_t *o, const tool_request_t *request, copal_transfer_t *t);
/** As copal_transfer_t's write. */
int tool_output_write(tool_output_t *o, const copal_transfer_t *t, size_t offset, copal_bytes_t piece);
/** Gives it its name if it is `whole`; else says how to go on. Returns an exit status. */
int tool_output_close(tool_output_t *o, bool whole);

/* ---- printing (print.c, json.c, cbor.c, links.c, problem.c, trace.c) -------------------------------------------- */

/** Text with colour where `stream` is a terminal that wants it. */
typedef enum { TOOL_PLAIN, TOOL_GREEN, TOOL_RED, TOOL_CYAN, TOOL_DIM } tool_colour_t;
void tool_colour(FILE *stream, tool_colour_t colour);

/** The size of the printable UTF-8 character that `text` starts with; 0: none, or one that could steer a terminal. */
size_t tool_utf8(copal_bytes_t text);
/** Prints octets as text, with what could steer a terminal, and octets that are no UTF-8, as \xNN. */
void tool_print_safe(FILE *stream, copal_bytes_t text);
/** Prints octets as 0x1234. */
void tool_print_hex(FILE *stream, copal_bytes_t octets);
/** The time of day as "2000-01-01T00:00:00.000Z". */
enum { TOOL_TIME = sizeof "2000-01-01T00:00:00.000Z" };
void tool_write_time(char out[TOOL_TIME]);
/** The value of an option, as its format reads best. */
void tool_print_option_value(FILE *stream, const copal_option_t *option);
/** "2.05 Content"; "GET" for a request's. */
void tool_print_code(FILE *stream, copal_code_t code);

/** Prints a payload on standard output: as it is, but pretty and safe on a terminal. */
void tool_print_payload(const copal_answer_t *answer);

/** A JSON text with line breaks and indentation, to be freed; NULL where it is no JSON that can be shown as it is. */
char *tool_json_pretty(copal_bytes_t text);

/** Prints CBOR in diagnostic notation (RFC 8949 section 8), an item a line. False: it is not well-formed, is nested more than
 *  32 deep, or has a simple value that nobody knows; nothing was printed. */
bool tool_print_cbor(copal_bytes_t octets);

/** On a terminal prints a payload that is CBOR by its Content-Format for people, and what is none as octets, with the end of the
 *  line. False: it is something else, or this is no terminal; nothing was printed. */
bool tool_print_as_cbor(int32_t content_format, copal_bytes_t payload);

/** Prints Concise Problem Details as a line where they are title and detail, else as CBOR. False: they are none; nothing was
 *  printed. */
bool tool_print_problem(copal_bytes_t octets);

/** Prints link-format one link a line, or as a table. False: it is no link-format, nothing was printed. */
bool tool_print_links(copal_bytes_t document);
bool tool_print_link_table(copal_bytes_t document);

/** Prints the links of many hosts as one table. */
void tool_print_found_table(const tool_found_t *found, size_t count);

/** A datagram on one line, without its end: type, code, message ID, token, options, the start of the payload. */
void tool_print_message(FILE *stream, copal_bytes_t datagram);

/** A copal_trace_t: one line on standard error for each message. */
void tool_trace(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram);

/* ---- serve's resources (resources.c) ------------------------------------------------------------------- */

/** Adds the resource that a --resource describes. 0, or an exit status after saying what is wrong. */
int tool_add_resource(const tool_command_t *command, copal_tree_t *tree, const char *description);

#endif

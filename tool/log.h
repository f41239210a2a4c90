/* What `copal serve` tells while it runs, on standard error: events of a level, as lines for people or for programs. */
#ifndef COPAL_TOOL_LOG_H
#define COPAL_TOOL_LOG_H

#include "copal/directory.h"
#include "tool.h"

typedef enum { TOOL_ERROR, TOOL_WARN, TOOL_INFO, TOOL_DEBUG } tool_level_t;

/** What happened, by a word that stays the same. Of each but those of TOOL_DEBUG so many lines are printed in a second. */
typedef enum {
    TOOL_EVENT_PROBLEM,
    TOOL_EVENT_LISTENING,
    TOOL_EVENT_RELOADED,
    TOOL_EVENT_STOPPING,
    TOOL_EVENT_CHANGE,
    TOOL_EVENT_DENIED,
    TOOL_EVENT_RECEIVED,
    TOOL_EVENT_SENT,
    TOOL_EVENT_BEGUN,
    TOOL_EVENT_OVER,
    TOOL_EVENT_HANDSHAKE_FAILED,
    TOOL_EVENT_SESSION_BEGUN,
    TOOL_EVENT_SESSION_ENDED,
    TOOL_EVENT_NETWORK_CUT,
    TOOL_EVENTS
} tool_event_name_t;

enum { TOOL_LOG_MOST = 20 };

/** Takes the value of --log-level or --log-format in. False: it is none. */
bool tool_log_level(const char *value);
bool tool_log_format(const char *value);

/** From here on what tool_say and its like print is an event, too, where the format is JSON. */
void tool_log_open(void);

/** Whether events of this level are wanted. */
bool tool_log_wants(tool_level_t level);

/** Tells of an event by a sentence without full stop. From any thread, as all of these. */
__attribute__((format(printf, 3, 4))) void tool_log(tool_level_t level, tool_event_name_t name, const char *format,
                                                    ...);

/** That something lasts, or is over: `what` is a word for it. */
void tool_log_condition(const char *what, bool begun, const char *text);

/** Where it listens now. Text says so on standard output. */
void tool_log_listening(const char *uri);

/** What a peer did to the files; what was denied is worth a warning. As copal_directory_options_t.changed. */
void tool_log_change(void *user, const copal_directory_change_t *change);

/** A copal_listener_t: what became of a client, or of its network. */
void tool_log_event(void *user, const copal_event_t *event);

/** A copal_trace_t: each message. */
void tool_log_message(void *user, bool outgoing, const copal_peer_t *peer, copal_bytes_t datagram);

/** A second is over: tells what was not printed in it, and begins another. */
void tool_log_second(void);

#endif

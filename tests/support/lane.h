/* A lane between DTLS filters in one process, on a clock that only the test moves, with weather of its own. All of it
 * follows from one seed. */
#ifndef TESTS_SUPPORT_LANE_H
#define TESTS_SUPPORT_LANE_H

#include "copal/dtls.h"
#include "support/check.h"
#include "support/network.h"

enum { LANE_STATIONS = 8, LANE_TEXT = 1200 };

typedef struct lane_t lane_t;
typedef struct station_t station_t;

/** A filter at an address, and what it told. */
struct station_t {
    lane_t *lane;
    copal_dtls_t *dtls;
    void *memory;
    copal_peer_t address;
    random_t random;
    copal_credentials_t *listens; /* borrowed; NULL: it is no server */
    bool echoes;                  /* answers each message with the same */
    uint32_t via;                 /* by which it connects, and what comes from the lane comes (0) */
    bool deaf;                    /* what comes is lost */
    unsigned messages;            /* that came */
    char text[LANE_TEXT + 1];     /* the last one */
    copal_from_t from;
    void (*hears)(station_t *s, const copal_from_t *from); /* is told of each, unless NULL */
    unsigned changes;                                      /* sessions that ended or were renewed */
    int status;                                            /* of the last change */
    char reason[128];
    copal_peer_t changed;
    unsigned served; /* times that it was told what became of a client */
    int served_status;
    char served_reason[128];
    copal_peer_t client;
};

struct lane_t {
    random_t random;
    weather_t weather;
    copal_time_t now;
    station_t stations[LANE_STATIONS];
    unsigned count;
    struct passing *passing; /* datagrams under way */
    size_t passing_count, passing_capacity;
    unsigned datagrams; /* sent so far */
    uint64_t order;
    /** Sees each datagram before the weather does; false: it is lost. May change it. NULL: all pass. */
    bool (*tap)(lane_t *lane, station_t *from, uint8_t *data, size_t size);
    void *context; /* the tap's */
};

void lane_open(lane_t *lane, uint64_t seed, const weather_t *weather);
/** Closes all filters as well. */
void lane_close(lane_t *lane);

station_t *lane_add(lane_t *lane, const copal_dtls_backend_t *backend, const copal_dtls_limits_t *limits,
                    copal_credentials_t *listens);
/** Puts a new filter in the place of the one there, as when a program is started again. */
void station_restart(station_t *s, const copal_dtls_backend_t *backend, const copal_dtls_limits_t *limits);

/** Connects to another station and returns the peer; asserts that it works. */
copal_peer_t station_connect(station_t *s, const station_t *to, copal_credentials_t *credentials, const char *name);
/** Protects a text and sends it. What copal_dtls_protect says. */
int station_say(station_t *s, const copal_peer_t *peer, const char *text);
/** Hands a datagram in as if it came from there, by `via`. */
void station_hear(station_t *s, const copal_peer_t *from, uint32_t via, copal_bytes_t datagram);
/** Whether this text came last. */
bool station_heard(const station_t *s, const char *text);

/** Runs until nothing is under way and nothing due before `until`; the clock then stands there. */
void lane_run(lane_t *lane, copal_time_t until);
/** Runs for so many milliseconds. */
void lane_run_for(lane_t *lane, copal_time_t milliseconds);

#endif

#include "watch.h"

#include "copal/counters.h"
#include "log.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

enum { QUIET = 5 }; /* seconds in which nothing more came, until it is over */

/** What lasts as long as a counter goes up. */
static const struct {
    size_t counter; /* within copal_host_counters_t */
    const char *what, *text;
} conditions[] = {
    {offsetof(copal_host_counters_t, server.withheld), "guard",
     "answers to addresses that may be forged are cut, challenged or dropped (--guard)"},
    {offsetof(copal_host_counters_t, server.refused), "full",
     "requests get 5.03 or 4.29: a bound is reached (--memory)"},
    {offsetof(copal_host_counters_t, server.unobserved), "observers", "no room for more observations (--memory)"},
    {offsetof(copal_host_counters_t, server_sockets.overflowed), "overflow",
     "datagrams come quicker than they are read"},
    {offsetof(copal_host_counters_t, server.answers[2]), "errors", "requests are answered with 5.xx"},
};
_Static_assert(sizeof conditions / sizeof *conditions == TOOL_CONDITIONS, "each has a state");

static uint64_t counter(const copal_host_counters_t *counters, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)counters + conditions[i].counter, sizeof value);
    return value;
}

void tool_watch_tick(void *user)
{
    tool_watch_t *watch = user;
    copal_host_counters_t counters;
    copal_host_counters(watch->host, &counters);
    for (size_t i = 0; i < TOOL_CONDITIONS; i++) {
        const uint64_t now = counter(&counters, i), last = watch->states[i].last;
        watch->states[i].last = now;
        if (now != last) {
            if (watch->states[i].quiet == 0) {
                watch->states[i].before = last;
                tool_log_condition(conditions[i].what, true, conditions[i].text);
            }
            watch->states[i].quiet = QUIET;
        } else if (watch->states[i].quiet > 0 && --watch->states[i].quiet == 0) {
            char text[64];
            snprintf(text, sizeof text, "over, after %" PRIu64, now - watch->states[i].before);
            tool_log_condition(conditions[i].what, false, text);
        }
    }
    tool_log_second();
}

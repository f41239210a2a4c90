/* What the files of `copal observe` share. */
#ifndef COPAL_TOOL_OBSERVE_H
#define COPAL_TOOL_OBSERVE_H

#include "tool.h"

/* ---- a state (state.c) ------------------------------------------------------------------------------- */

/** A state of the resource, as a notification or an error tells of it. */
typedef struct {
    copal_code_t code;
    int64_t observe;        /* -1: none */
    int32_t content_format; /* -1: none */
    copal_bytes_t payload;
} tool_state_t;

/** Prints it on a line: text made safe for a terminal, anything else in hexadecimal. */
void tool_print_state(const tool_state_t *state, bool with_time);
/** Prints it as a JSON object on a line. */
void tool_print_state_json(const tool_state_t *state);

/* ---- a chart (chart.c) --------------------------------------------------------------------------------- */

enum { TOOL_CHART_MOST = 1024 }; /* columns */

/** A line of the terminal that is drawn anew with each value; empty when all zero. */
typedef struct {
    double values[TOOL_CHART_MOST]; /* a ring of the last ones */
    size_t count;                   /* of all there were */
    double least, most;             /* of all there were */
    bool drawn;                     /* the cursor is behind it */
} tool_chart_t;

/** Adds the number that the text begins with and draws the line, or says in it that there is none. */
void tool_chart_add(tool_chart_t *chart, copal_bytes_t text);
/** Leaves the line as it is: what is printed next stands below. */
void tool_chart_leave(tool_chart_t *chart);

#endif

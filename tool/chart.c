/* A sparkline: one column for each of the last values, as high as it is between the least and the most there was. */
#define _POSIX_C_SOURCE 200809L
#include "observe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LEVELS = 8, USUAL_COLUMNS = 80, TEXT = 160 };

/** Columns of the terminal but the last, so that the cursor stays in the line. */
static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return USUAL_COLUMNS - 1;
    return size.ws_col - 1u;
}

/** The number that a text begins with, behind which a unit may stand: "22.8 Cel". */
static bool read_number(copal_bytes_t text, double *number)
{
    char copy[64], *end;
    size_t size = text.size < sizeof copy - 1 ? text.size : sizeof copy - 1;
    if (size)
        memcpy(copy, text.data, size);
    copy[size] = 0;
    *number = strtod(copy, &end);
    return end > copy && isfinite(*number) && (*end == 0 || strchr(" \t\r\n%", *end));
}

static unsigned level(const tool_chart_t *chart, double value)
{
    double span = chart->most - chart->least;
    if (!(span > 0) || !isfinite(span))
        return LEVELS / 2;
    double place = (value - chart->least) / span * LEVELS;
    return place >= LEVELS ? LEVELS - 1 : (unsigned)place;
}

/** The line: the last `room` values as block elements (U+2581 to U+2588), and the text behind them. */
static void draw(tool_chart_t *chart, const char *text)
{
    size_t width = columns(), written = strlen(text), room = width > written ? width - written : 0;
    size_t shown = chart->count < room ? chart->count : room;
    shown = shown < TOOL_CHART_MOST ? shown : TOOL_CHART_MOST;
    printf("\r%*s\r", (int)width, "");
    for (size_t i = chart->count - shown; i < chart->count; i++)
        printf("\xe2\x96%c", 0x81 + (int)level(chart, chart->values[i % TOOL_CHART_MOST]));
    printf("%.*s", (int)(width < written ? width : written), text);
    chart->drawn = true;
}

void tool_chart_add(tool_chart_t *chart, copal_bytes_t text)
{
    char line[TEXT];
    double value;
    if (!read_number(text, &value)) {
        draw(chart, "  no number");
        return;
    }
    chart->least = chart->count && chart->least < value ? chart->least : value;
    chart->most = chart->count && chart->most > value ? chart->most : value;
    chart->values[chart->count++ % TOOL_CHART_MOST] = value;
    snprintf(line, sizeof line, "  min %.6g  max %.6g  last %.6g", chart->least, chart->most, value);
    draw(chart, line);
}

void tool_chart_leave(tool_chart_t *chart)
{
    if (chart->drawn)
        putchar('\n');
    chart->drawn = false;
}

/* How far a transfer is: one line on a terminal, written over and over. */
#define _POSIX_C_SOURCE 200809L
#include "tool.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24, INTERVAL = 100 }; /* characters; milliseconds from one drawing to the next */

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void tool_progress_open(tool_progress_t *p, bool wanted)
{
    *p = (tool_progress_t){.wanted = wanted && isatty(STDERR_FILENO), .begun = now()};
}

static void print_size(double octets)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    for (; octets >= 1024 && unit < 3; unit++)
        octets /= 1024;
    fprintf(stderr, unit ? "%.1f %s" : "%.0f %s", octets, units[unit]);
}

static void print_bar(size_t done, size_t total)
{
    char bar[BAR + 1];
    const double part = (double)done / (double)total;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(part * BAR));
    bar[BAR] = 0;
    fprintf(stderr, "%3.0f %% [%s] ", part * 100, bar);
}

/** `moved`: octets of this run, which the rate counts. */
static void draw(tool_progress_t *p, size_t done, size_t moved, size_t total)
{
    const int64_t time = now() - p->begun;
    fputs("\r\033[K", stderr);
    if (total >= done && total > 0)
        print_bar(done, total);
    print_size((double)done);
    if (total >= done && total > 0) {
        fputs(" of ", stderr);
        print_size((double)total);
    }
    if (time > 0) {
        fputs(", ", stderr);
        print_size((double)moved * 1000 / (double)time);
        fputs("/s", stderr);
    }
    fflush(stderr);
    p->drawn = true;
    p->at = now();
}

void tool_progress_show(tool_progress_t *p, const copal_transfer_t *t)
{
    const bool sending = t->size > 0 && t->received == 0;
    p->done = sending ? t->sent : t->received;
    p->total = sending ? t->size : t->total;
    p->moved = p->done - (sending ? 0 : t->resume_at < p->done ? t->resume_at : 0);
    if (!p->wanted || (p->drawn ? now() - p->at < INTERVAL : now() - p->begun < INTERVAL))
        return;
    draw(p, p->done, p->moved, p->total);
}

void tool_progress_close(tool_progress_t *p)
{
    if (!p->drawn)
        return;
    draw(p, p->done, p->moved, p->total);
    fputc('\n', stderr);
    p->drawn = false;
}

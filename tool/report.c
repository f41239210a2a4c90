/* What `copal bench` has measured, for people and for programs. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <json-c/json.h>
#include <string.h>

static const struct {
    const char *name;
    double part;
} percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

static const char *method_name(const tool_bench_t *bench)
{
    return copal_code_text(bench->request.ask.method);
}

static double rate_of(const tool_tally_t *tally)
{
    return tally->seconds > 0 ? (double)tally->in_time / tally->seconds : 0;
}

/* ---- for people ------------------------------------------------------------------------------------------- */

/** "412 us", "12.3 ms": three digits say all that is sure. */
static void print_time(double nanoseconds)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;
    for (; nanoseconds >= 999.5 && unit < 3; unit++)
        nanoseconds /= 1000;
    printf("%.*f %s", nanoseconds < 9.995 ? 2 : nanoseconds < 99.95 ? 1 : 0, nanoseconds, units[unit]);
}

static void print_times(const char *name, const tool_histogram_t *h)
{
    if (h->count == 0)
        return;
    printf("%-10sleast ", name);
    print_time((double)h->least);
    printf(", mean ");
    print_time(h->sum / (double)h->count);
    for (size_t i = 0; i < PERCENTILES; i++) {
        printf(", %s ", percentiles[i].name);
        print_time((double)tool_histogram_at(h, percentiles[i].part));
    }
    printf(", max ");
    print_time((double)h->most);
    putchar('\n');
}

static void print_count(uint64_t count, const char *what)
{
    if (count)
        printf("  %12llu  %s\n", (unsigned long long)count, what);
}

static void print_outcomes(const tool_tally_t *tally)
{
    for (unsigned code = 0; code < 256; code++) {
        if (!tally->codes[code])
            continue;
        printf("  %12llu  ", (unsigned long long)tally->codes[code]);
        tool_print_code(stdout, (copal_code_t)code);
        putchar('\n');
    }
    print_count(tally->time_outs, "no answer in time");
    print_count(tally->resets, "Reset");
    print_count(tally->unreachable, "unreachable");
    print_count(tally->sessions, "ended with their session");
    print_count(tally->others, "other failures");
    print_count(tally->open, "still open when it was interrupted");
    print_count(tally->retransmitted, "retransmissions");
}

void tool_bench_print(const tool_bench_t *bench, const tool_tally_t *tally)
{
    printf("%s %s, %s, %llu socket%s, %llu outstanding each", method_name(bench), bench->request.ask.uri,
           bench->request.ask.non_confirmable ? "NON" : "CON", (unsigned long long)bench->sockets,
           bench->sockets == 1 ? "" : "s", (unsigned long long)bench->outstanding);
    if (bench->rate > 0)
        printf(", %g requests/s planned", bench->rate);
    printf("\n%llu requests in %.3f s, %.1f answers/s\n", (unsigned long long)tally->requests, tally->seconds,
           rate_of(tally));
    print_outcomes(tally);
    print_times("latency", &tally->latency);
    print_times("service", &tally->service);
    if (bench->request.ask.credentials)
        printf("%llu DTLS session%s begun in %.3f s\n", (unsigned long long)bench->sockets,
               bench->sockets == 1 ? "" : "s", tally->connecting);
}

/* ---- for programs -------------------------------------------------------------------------------------------- */

static void add_count(struct json_object *object, const char *name, uint64_t count)
{
    json_object_object_add(object, name, json_object_new_int64((int64_t)count));
}

/** With so many decimals and no more, which json-c does not do by itself. */
static struct json_object *decimal(double number, int decimals)
{
    char text[64];
    snprintf(text, sizeof text, "%.*f", decimals, number);
    return json_object_new_double_s(number, text);
}

static struct json_object *microseconds(double nanoseconds)
{
    return decimal(nanoseconds / 1000, 3);
}

static struct json_object *times_of(const tool_histogram_t *h)
{
    struct json_object *object = json_object_new_object(), *buckets = json_object_new_array();
    add_count(object, "count", h->count);
    if (h->count) {
        json_object_object_add(object, "min", microseconds((double)h->least));
        json_object_object_add(object, "mean", microseconds(h->sum / (double)h->count));
        for (size_t i = 0; i < PERCENTILES; i++)
            json_object_object_add(object, percentiles[i].name,
                                   microseconds((double)tool_histogram_at(h, percentiles[i].part)));
        json_object_object_add(object, "max", microseconds((double)h->most));
    }
    for (size_t i = 0; i < TOOL_HISTOGRAM_BUCKETS; i++) {
        if (!h->buckets[i])
            continue;
        struct json_object *bucket = json_object_new_array();
        json_object_array_add(bucket, microseconds((double)tool_histogram_end(i)));
        json_object_array_add(bucket, json_object_new_int64((int64_t)h->buckets[i]));
        json_object_array_add(buckets, bucket);
    }
    json_object_object_add(object, "buckets", buckets);
    return object;
}

static struct json_object *codes_of(const tool_tally_t *tally)
{
    struct json_object *object = json_object_new_object();
    for (unsigned code = 0; code < 256; code++) {
        char name[8];
        snprintf(name, sizeof name, "%u.%02u", COPAL_CODE_CLASS(code), COPAL_CODE_DETAIL(code));
        if (tally->codes[code])
            add_count(object, name, tally->codes[code]);
    }
    return object;
}

static void add_plan(struct json_object *object, const tool_bench_t *bench)
{
    json_object_object_add(object, "uri", json_object_new_string(bench->request.ask.uri));
    json_object_object_add(object, "method", json_object_new_string(method_name(bench)));
    json_object_object_add(object, "confirmable", json_object_new_boolean(!bench->request.ask.non_confirmable));
    add_count(object, "sockets", bench->sockets);
    add_count(object, "outstanding", bench->outstanding);
    if (bench->rate > 0)
        json_object_object_add(object, "rate", decimal(bench->rate, 3));
    json_object_object_add(object, "warm_up", decimal(bench->warm_up / 1e3, 3));
}

static void add_outcomes(struct json_object *object, const tool_tally_t *tally)
{
    const struct {
        const char *name;
        uint64_t count;
    } counts[] = {{"requests", tally->requests},
                  {"answers", tally->answers},
                  {"first_blocks", tally->first_blocks},
                  {"time_outs", tally->time_outs},
                  {"resets", tally->resets},
                  {"unreachable", tally->unreachable},
                  {"sessions_lost", tally->sessions},
                  {"other_failures", tally->others},
                  {"open", tally->open},
                  {"retransmissions", tally->retransmitted},
                  {"ports", tally->ports}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        add_count(object, counts[i].name, counts[i].count);
}

void tool_bench_print_json(const tool_bench_t *bench, const tool_tally_t *tally)
{
    struct json_object *object = json_object_new_object();
    add_plan(object, bench);
    json_object_object_add(object, "seconds", decimal(tally->seconds, 6));
    json_object_object_add(object, "interrupted", json_object_new_boolean(tally->interrupted));
    json_object_object_add(object, "answers_per_second", decimal(rate_of(tally), 3));
    add_outcomes(object, tally);
    json_object_object_add(object, "codes", codes_of(tally));
    json_object_object_add(object, "latency_us", times_of(&tally->latency));
    if (bench->rate > 0) {
        json_object_object_add(object, "service_us", times_of(&tally->service));
        add_count(object, "unsent", tally->unsent);
        add_count(object, "held_back", tally->held);
        add_count(object, "late", tally->late);
        json_object_object_add(object, "latest_us", microseconds((double)tally->latest));
    }
    if (bench->request.ask.credentials)
        json_object_object_add(object, "handshakes_seconds", decimal(tally->connecting, 6));
    json_object_object_add(object, "generator_busy", decimal(tally->seconds > 0 ? tally->cpu / tally->seconds : 0, 3));
    const char *line = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    puts(line ? line : "{}");
    json_object_put(object);
}

/* ---- caveats ------------------------------------------------------------------------------------------------------ */

void tool_bench_warn(const tool_bench_t *bench, const tool_tally_t *tally)
{
    const double busy = tally->seconds > 0 ? tally->cpu / tally->seconds : 0;
    if (tally->late)
        tool_say("%llu requests left up to %.1f ms late since this program or its machine could not keep up\n",
                 (unsigned long long)tally->late, (double)tally->latest / 1e6);
    if (tally->held)
        tool_say("%llu requests left over 1 ms late since all places were taken; their latency has that in it%s\n",
                 (unsigned long long)tally->held,
                 bench->outstanding == 1 ? ". --outstanding and --sockets give more" : "");
    if (tally->unsent)
        tool_say("%llu planned requests were never sent, and no latency counts them\n",
                 (unsigned long long)tally->unsent);
    if (busy > 0.9)
        tool_say("this program was busy for %.0f %% of the time: it may be the limit, not the server\n", 100 * busy);
    if (tally->first_blocks)
        tool_say("%llu answers were the first block of a larger one; the others were not fetched\n",
                 (unsigned long long)tally->first_blocks);
}

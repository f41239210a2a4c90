/* A histogram of times in constant memory: buckets that are as wide as their times are long. */
#include "bench.h"

static size_t bucket_of(int64_t time)
{
    const int64_t longest = ((int64_t)1 << TOOL_HISTOGRAM_BITS) - 1;
    uint64_t value = (uint64_t)(time < 0 ? 0 : time > longest ? longest : time);
    unsigned shift = 0;
    while (value >> shift >= 2u << TOOL_HISTOGRAM_EXACT)
        shift++;
    return ((size_t)shift << TOOL_HISTOGRAM_EXACT) + (size_t)(value >> shift);
}

int64_t tool_histogram_end(size_t bucket)
{
    const size_t half = (size_t)1 << TOOL_HISTOGRAM_EXACT;
    const unsigned shift = bucket < 2 * half ? 0 : (unsigned)(bucket / half - 1);
    return ((int64_t)(bucket - shift * half + 1) << shift) - 1;
}

void tool_histogram_add(tool_histogram_t *h, int64_t time)
{
    h->buckets[bucket_of(time)]++;
    h->least = h->count && h->least < time ? h->least : time;
    h->most = h->count && h->most > time ? h->most : time;
    h->sum += (double)time;
    h->count++;
}

int64_t tool_histogram_at(const tool_histogram_t *h, double part)
{
    const double exact = part * (double)h->count;
    uint64_t wanted = (uint64_t)exact, seen = 0;
    wanted += (double)wanted < exact || wanted == 0;
    for (size_t i = 0; i < TOOL_HISTOGRAM_BUCKETS && h->count; i++) {
        seen += h->buckets[i];
        if (seen >= wanted)
            return tool_histogram_end(i) < h->most ? tool_histogram_end(i) : h->most;
    }
    return h->most;
}

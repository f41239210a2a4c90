#include "window.h"

#define WIDTH 64u

bool copal__window_is_new(const copal__window_t *window, uint64_t number)
{
    if (number >= window->next)
        return true;
    uint64_t age = window->next - 1 - number;
    return age < WIDTH && !(window->seen >> age & 1);
}

void copal__window_add(copal__window_t *window, uint64_t number)
{
    if (number >= window->next) {
        uint64_t step = number + 1 - window->next;
        window->seen = step < WIDTH ? window->seen << step : 0;
        window->next = number + 1;
    }
    window->seen |= 1ull << (window->next - 1 - number);
}

#include "backend.h"

#include <stdio.h>

int copal__problem(const copal__problem_t *problem, int status, const char *file, const char *sentence)
{
    if (problem->text)
        snprintf(problem->text, problem->capacity, "%s%s%s", file ? file : "", file ? ": " : "", sentence);
    return status;
}

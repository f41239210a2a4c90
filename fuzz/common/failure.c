/* Where no test runs, a check that fails ends the program, which is what a fuzzer looks for. */
#define _POSIX_C_SOURCE 200809L /* vdprintf: a target may have closed stderr */

#include "support/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void check_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vdprintf(2, format, arguments);
    va_end(arguments);
}

void check_end(const char *file, int line)
{
    check_print("%s:%d: failed\n", file, line);
    abort();
}

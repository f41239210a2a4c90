/* A check that fails, fails the running cmocka test. */
#include "support/check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void check_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprint_error(format, arguments);
    va_end(arguments);
}

void check_end(const char *file, int line) { _fail(file, line); }

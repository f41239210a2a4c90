#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "directory/directory.h"

static void a_suffix_stands_for_a_format_that_is_registered(void **state)
{
    (void)state;
    static const struct {
        const char *name, *format;
    } cases[] = {
        {"a.txt", "text/plain"},
        {"a/b.c/README.TXT", "text/plain"},
        {"a.tar.json", "application/json"},
        {"a.cbor", "application/cbor"},
        {"a.xml", "application/xml"},
        {"a.png", "image/png"},
        {"a.jpeg", "image/jpeg"},
        {"a.JPG", "image/jpeg"},
        {"a.gif", "image/gif"},
        {"a.svg", "image/svg+xml"},
        {"a.css", "text/css"},
        {"a.js", "application/javascript"},
        {"a.senml", "application/senml+json"},
        {"a.wlnk", "application/link-format"},
        {"a.html", "application/octet-stream"},
        {"a.wasm", "application/octet-stream"},
        {"a.bin", "application/octet-stream"},
        {"json", "application/octet-stream"},
        {"a.", "application/octet-stream"},
        {"a.json/b", "application/octet-stream"},
        {"a.json~", "application/octet-stream"},
        {"", "application/octet-stream"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(copal_content_format_text(copal__suffix_format(cases[i].name)), cases[i].format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suffix_stands_for_a_format_that_is_registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

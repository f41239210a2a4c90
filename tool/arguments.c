/* Options of a command: getopt_long over the command's own table, with errors that say what to do. */
#include "tool.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

enum { MAX_OPTIONS = 32 };

static tool_teller_t teller; /* NULL: lines on standard error */

void tool_say_by(tool_teller_t say)
{
    teller = say;
}

void tool_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (teller) {
        teller(format, arguments);
    } else {
        fputs("copal: ", stderr);
        vfprintf(stderr, format, arguments);
    }
    va_end(arguments);
}

bool tool_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    tool_say("standard output: %s\n", strerror(errno));
    return false;
}

__attribute__((format(printf, 2, 0))) static void say_wrong(const tool_command_t *command, const char *format,
                                                            va_list arguments)
{
    if (teller) {
        teller(format, arguments);
        return;
    }
    fprintf(stderr, "copal %s: ", command->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int tool_usage_error(const tool_command_t *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_wrong(command, format, arguments);
    va_end(arguments);
    return TOOL_USAGE;
}

int tool_option_error(const tool_command_t *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_wrong(command, format, arguments);
    va_end(arguments);
    if (!teller)
        fprintf(stderr, "'copal %s --help' says more\n", command->name);
    return TOOL_USAGE;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/** The cost of turning `a` into `b`, one for each letter inserted, left out, changed or swapped with the next. */
static size_t distance(const char *a, const char *b)
{
    enum { MOST = 32 };
    size_t m = strlen(a), n = strlen(b), row[3][MOST + 1];
    if (m > MOST || n > MOST)
        return MOST;
    for (size_t j = 0; j <= n; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = before[j - 1] + !same(a[i - 1], b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]) && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[m % 3][n];
}

const char *tool_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t least = strlen(word) / 3 + 1; /* at most every third letter wrong, of either */
    for (; *names; names++) {
        size_t d = distance(word, *names);
        if (d < least && 3 * d <= strlen(*names)) {
            least = d;
            nearest = *names;
        }
    }
    return nearest;
}

static const char *known_option(const tool_command_t *command, int id)
{
    for (const tool_option_t *o = command->options; o->name; o++)
        if (o->id == id)
            return o->name;
    return id == 'h' ? "help" : NULL;
}

/** Says what is wrong, from what getopt_long leaves: optopt is 0 for a long option it does not know or finds ambiguous,
 *  the id of a known one that takes no value, else the letter that it does not know. */
static void wrong_option(const tool_command_t *command, const char *typed)
{
    const char *known = known_option(command, optopt);
    if (known) {
        tool_option_error(command, "option '--%s' takes no value", known);
        return;
    }
    if (optopt) {
        tool_option_error(command, "there is no option '-%c'; an operand that starts with '-' goes behind '--'",
                          optopt);
        return;
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
    const char *names[MAX_OPTIONS + 2] = {"help"};
    for (size_t i = 0; command->options[i].name; i++)
        names[i + 1] = command->options[i].name;
    const char *near = tool_nearest(name, names);
    if (near)
        tool_option_error(command, "there is no option '--%s'; did you mean '--%s'?", name, near);
    else
        tool_option_error(command, "there is no option '--%s'", name);
}

int tool_next_option(const tool_command_t *command, int argc, char **argv, const char **value)
{
    struct option longs[MAX_OPTIONS + 2] = {{"help", no_argument, NULL, 'h'}};
    char shorts[2 * MAX_OPTIONS + 4] = ":h", *at = shorts + 2;
    for (const tool_option_t *o = command->options; o->name; o++) {
        longs[o - command->options + 1] =
            (struct option){o->name, o->argument ? required_argument : no_argument, NULL, o->id};
        if (o->id <= 255) {
            *at++ = (char)o->id;
            if (o->argument)
                *at++ = ':';
        }
    }
    int id = getopt_long(argc, argv, shorts, longs, NULL);
    *value = optarg;
    switch (id) {
    case 'h':
        return TOOL_HELP;
    case '?':
        wrong_option(command, argv[optind - 1]);
        return TOOL_WRONG;
    case ':':
        tool_option_error(command, "option '%s' needs a value behind it", argv[optind - 1]);
        return TOOL_WRONG;
    default:
        return id == -1 ? TOOL_END : id;
    }
}

int tool_take_options(const tool_command_t *command, int argc, char **argv,
                      int (*take)(const tool_command_t *command, void *context, int id, const char *value), void *context)
{
    const char *value;
    int id;
    while ((id = tool_next_option(command, argc, argv, &value)) >= 0)
        if (take(command, context, id, value))
            return TOOL_USAGE;
    if (id == TOOL_HELP)
        tool_print_help(command);
    return id == TOOL_END ? -1 : id == TOOL_HELP ? TOOL_OK : TOOL_USAGE;
}

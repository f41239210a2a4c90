/* copal help: the commands, or the options of one of them. */
#include "tool.h"

#include <getopt.h>
#include <string.h>

static void print_option(const tool_option_t *option)
{
    char left[64];
    bool letter = option->id <= 255;
    int width = snprintf(left, sizeof left, "  %c%c%s --%s%s%s", letter ? '-' : ' ', letter ? option->id : ' ',
                         letter ? "," : " ", option->name, option->argument ? " " : "",
                         option->argument ? option->argument : "");
    if (width <= 28)
        printf("%-28s  %s\n", left, option->text);
    else
        printf("%s\n%30s%s\n", left, "", option->text);
}

void tool_print_help(const tool_command_t *command)
{
    printf("usage: copal %s%s%s\n\n%s.\n", command->name, *command->operands ? " " : "", command->operands,
           command->summary);
    printf("\noptions:\n");
    for (const tool_option_t *option = command->options; option->name; option++)
        print_option(option);
    print_option(&(tool_option_t){'h', "help", NULL, "print this"});
    if (command->notes)
        printf("\n%s", command->notes);
}

void tool_print_commands(FILE *stream)
{
    fprintf(stream, "copal asks and serves CoAP, the Constrained Application Protocol (RFC 7252).\n\n"
                    "usage: copal COMMAND [OPTION]... [OPERAND]...\n\ncommands:\n");
    for (size_t i = 0; tool_commands[i]; i++)
        fprintf(stream, "  %-10s %s\n", tool_commands[i]->name, tool_commands[i]->summary);
    fputs("\n'copal help COMMAND' or 'copal COMMAND --help' prints its options,\n"
          "'copal --version' the version.\n\n"
          "exit status: 0 for a 2.xx response, 1 for 4.xx and 5.xx or where this machine\n"
          "refuses, 2 for wrong usage and files that cannot be opened, 3 for no answer.\n\n"
          "examples:\n"
          "  copal serve --resource 'temperature=21.5;ct=text;rt=sensor'\n"
          "  copal get coap://localhost/temperature\n"
          "  copal put coap://localhost/temperature 22\n"
          "  copal discover coap://localhost\n",
          stream);
}

static int run(const tool_command_t *command, int argc, char **argv)
{
    const char *value;
    switch (tool_next_option(command, argc, argv, &value)) {
    case TOOL_HELP:
        tool_print_help(command);
        return TOOL_OK;
    case TOOL_WRONG:
        return TOOL_USAGE;
    }
    if (argc - optind > 1)
        return tool_usage_error(command, "one command at a time");
    if (argc == optind) {
        tool_print_commands(stdout);
        return TOOL_OK;
    }
    const tool_command_t *subject = tool_find_command(argv[optind]);
    if (!subject)
        return TOOL_USAGE;
    char *question[] = {argv[optind], "--help", NULL};
    return subject->run(subject, 2, question);
}

static const tool_option_t options[] = {{0}};

const tool_command_t tool_help = {.name = "help",
                                  .operands = "[COMMAND]",
                                  .summary = "Print the commands, or the options of one",
                                  .options = options,
                                  .run = run};

/* copal: the commands, and finding the one that is asked for. */
#include "tool.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

const tool_command_t *const tool_commands[] = {&tool_get,     &tool_put,     &tool_post,     &tool_delete, &tool_fetch,
                                               &tool_patch,   &tool_observe, &tool_discover, &tool_ping,   &tool_bench,
                                               &tool_conform, &tool_serve,   &tool_help,     NULL};

const tool_command_t *tool_find_command(const char *name)
{
    const char *names[sizeof tool_commands / sizeof *tool_commands] = {NULL};
    for (size_t i = 0; tool_commands[i]; i++) {
        if (strcmp(tool_commands[i]->name, name) == 0)
            return tool_commands[i];
        names[i] = tool_commands[i]->name;
    }
    const char *near = tool_nearest(name, names);
    if (*name == '-')
        tool_say("options go behind the command, as in 'copal get %s ...'\n", name);
    else if (near)
        tool_say("there is no command '%s'; did you mean '%s'?\n", name, near);
    else if (strstr(name, "://"))
        tool_say("a command comes first; did you mean 'copal get %s'?\n", name);
    else
        tool_say("there is no command '%s'; 'copal help' lists them\n", name);
    return NULL;
}

/* What went well and could not be told did not go well; who has complained already knows. */
static int told(int status)
{
    return status != TOOL_OK || tool_flush() ? status : TOOL_REFUSED;
}

/* A socket must not get the number of a standard stream that was closed: what takes it can be opened only so that whoever
 * reads or writes it fails, as before. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* else it is as it was */
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    if (argc < 2) {
        tool_print_commands(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("copal %s\n", COPAL_VERSION); /* from CMakeLists.txt */
        return told(TOOL_OK);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = "help";
    const tool_command_t *command = tool_find_command(argv[1]);
    return command ? told(command->run(command, argc - 1, argv + 1)) : TOOL_USAGE;
}

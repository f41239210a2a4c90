/* Opening below a directory without help from the system. */
#include "../directory.h"

int copal__open_beneath(int root, const char *path, int flags)
{
    return copal__open_walking(root, path, flags);
}

/* The library that does DTLS. It brings OpenSSL along, twice what the tool takes itself, and is loaded when it is needed. */
#include "tool.h"

#include <dlfcn.h>

const copal_dtls_backend_t *tool_dtls(void)
{
    void *library =
        dlopen(TOOL_DTLS_LIBRARY, RTLD_NOW | RTLD_LOCAL); /* for good: its functions may be called until the end */
    const copal_dtls_backend_t *backend = library ? dlsym(library, TOOL_DTLS) : NULL;
    if (!backend)
        tool_say("DTLS needs a library that comes with copal and cannot be loaded: %s\n", dlerror());
    return backend;
}

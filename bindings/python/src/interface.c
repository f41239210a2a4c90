/* What WLAN.ifconfig() tells of this machine. */
#define _DEFAULT_SOURCE 1 /* IFF_UP */
#include "binding.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

static bool is_usable(const struct ifaddrs *one)
{
    return (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0 && one->ifa_addr != NULL &&
           one->ifa_addr->sa_family == AF_INET && one->ifa_netmask != NULL;
}

PyObject *binding_interface(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    char address[INET_ADDRSTRLEN] = "127.0.0.1", mask[INET_ADDRSTRLEN] = "255.0.0.0";
    struct ifaddrs *all;
    if (getifaddrs(&all) == 0) {
        for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
            if (is_usable(one)) {
                inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, address, sizeof address);
                inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_netmask)->sin_addr, mask, sizeof mask);
                break;
            }
        }
        freeifaddrs(all);
    }
    return Py_BuildValue("(ss)", address, mask);
}

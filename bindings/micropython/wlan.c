/* WLAN for systems whose network is there already: connecting always succeeds, and ifconfig() tells the address. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "network_coap.h"

#define NONE "0.0.0.0"

static mp_obj_t make_new(const mp_obj_type_t *type, size_t positional, size_t named, const mp_obj_t *args)
{
    (void)positional, (void)named, (void)args; /* mode, network and key are the system's business */
    return MP_OBJ_FROM_PTR(mp_obj_malloc(mp_obj_base_t, type));
}

static mp_obj_t join(size_t positional, const mp_obj_t *args, mp_map_t *named)
{
    (void)positional, (void)args, (void)named;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(join_obj, 1, join);

static mp_obj_t isconnected(mp_obj_t self)
{
    (void)self;
    return mp_const_true;
}
static MP_DEFINE_CONST_FUN_OBJ_1(isconnected_obj, isconnected);

/* Address and mask of the first interface that is up and no loopback. */
static void first_address(char address[INET_ADDRSTRLEN], char mask[INET_ADDRSTRLEN])
{
    struct ifaddrs *all;
    if (getifaddrs(&all) == 0) {
        for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
            bool usable = (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_LOOPBACK) == 0;
            if (usable && one->ifa_addr != NULL && one->ifa_addr->sa_family == AF_INET && one->ifa_netmask != NULL) {
                inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr, address, INET_ADDRSTRLEN);
                inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)one->ifa_netmask)->sin_addr, mask, INET_ADDRSTRLEN);
                break;
            }
        }
        freeifaddrs(all);
    }
}

/* (address, mask, gateway, DNS server), the last two unknown. COPAL_WLAN_IP takes the place of the address. */
static mp_obj_t ifconfig(mp_obj_t self)
{
    (void)self;
    char address[INET_ADDRSTRLEN] = "127.0.0.1", mask[INET_ADDRSTRLEN] = "255.0.0.0";
    const char *wanted = getenv("COPAL_WLAN_IP");
    if (wanted == NULL || *wanted == '\0') {
        first_address(address, mask);
        wanted = address;
    }
    mp_obj_t items[] = {
        mp_obj_new_str(wanted, strlen(wanted)),
        mp_obj_new_str(mask, strlen(mask)),
        mp_obj_new_str(NONE, strlen(NONE)),
        mp_obj_new_str(NONE, strlen(NONE)),
    };
    return mp_obj_new_tuple(MP_ARRAY_SIZE(items), items);
}
static MP_DEFINE_CONST_FUN_OBJ_1(ifconfig_obj, ifconfig);

static const mp_rom_map_elem_t wlan_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_PTR(&join_obj)},
    {MP_ROM_QSTR(MP_QSTR_isconnected), MP_ROM_PTR(&isconnected_obj)},
    {MP_ROM_QSTR(MP_QSTR_ifconfig), MP_ROM_PTR(&ifconfig_obj)},
    {MP_ROM_QSTR(MP_QSTR_STA), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_AP), MP_ROM_INT(2)},
    {MP_ROM_QSTR(MP_QSTR_STA_AP), MP_ROM_INT(3)},
    {MP_ROM_QSTR(MP_QSTR_WEP), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_WPA), MP_ROM_INT(2)},
    {MP_ROM_QSTR(MP_QSTR_WPA2), MP_ROM_INT(3)},
};
static MP_DEFINE_CONST_DICT(wlan_locals, wlan_locals_table);

MP_DEFINE_CONST_OBJ_TYPE(coap_wlan_type, MP_QSTR_WLAN, MP_TYPE_FLAG_NONE,
                         make_new, make_new, locals_dict, &wlan_locals);

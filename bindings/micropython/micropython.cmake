# network.Coap as a user C module, for ports built by CMake:
# USER_C_MODULES=<copal>/bindings/micropython/micropython.cmake
# COPAL_DTLS=openssl does DTLS by OpenSSL, in place of the Mbed TLS that these ports have.
get_filename_component(COPAL_DIR ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    set(COPAL_PLATFORM linux)
else()
    set(COPAL_PLATFORM posix)
endif()

if(NOT COPAL_DTLS)
    set(COPAL_DTLS mbedtls)
endif()

# These ports have a network and a WLAN of their own.
file(GLOB COPAL_USERMOD_SOURCES CONFIGURE_DEPENDS
    ${CMAKE_CURRENT_LIST_DIR}/*.c
    ${COPAL_DIR}/src/*/*.c
    ${COPAL_DIR}/src/host/${COPAL_PLATFORM}/*.c
    ${COPAL_DIR}/src/dtls/${COPAL_DTLS}/*.c
    ${COPAL_DIR}/src/dtls/${COPAL_DTLS}/3/*.c) # MicroPython's Mbed TLS is 3.6
list(REMOVE_ITEM COPAL_USERMOD_SOURCES ${CMAKE_CURRENT_LIST_DIR}/wlan.c)
list(FILTER COPAL_USERMOD_SOURCES EXCLUDE REGEX /src/directory/) # Python serves its own files

add_library(usermod_copal INTERFACE)
target_sources(usermod_copal INTERFACE ${COPAL_USERMOD_SOURCES})
target_include_directories(usermod_copal INTERFACE ${COPAL_DIR}/include)
target_compile_definitions(usermod_copal INTERFACE COAP_DTLS=copal_dtls_${COPAL_DTLS})
if(COPAL_DTLS STREQUAL openssl)
    target_link_libraries(usermod_copal INTERFACE ssl crypto)
endif()
target_link_libraries(usermod INTERFACE usermod_copal)

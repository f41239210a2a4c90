# network.Coap as a user C module, for ports built by make: USER_C_MODULES=<copal>/bindings
# COPAL_DTLS=mbedtls does DTLS by the Mbed TLS that a port is linked with, in place of OpenSSL.
copal := $(abspath $(USERMOD_DIR)/../..)
copal_dtls := $(or $(COPAL_DTLS),openssl)
copal_platform := $(if $(filter Linux,$(shell uname -s)),linux,posix)

# Spelled so that the objects do not go to $(BUILD)/micropython: the unix port puts its program there.
SRC_USERMOD_C += $(wildcard $(copal)/src/../bindings/micropython/*.c)
SRC_USERMOD_LIB_C += $(filter-out $(copal)/src/directory/%,$(wildcard $(copal)/src/*/*.c)) \
    $(wildcard $(copal)/src/host/$(copal_platform)/*.c $(copal)/src/dtls/$(copal_dtls)/*.c \
        $(copal)/src/dtls/$(copal_dtls)/3/*.c) # MicroPython's Mbed TLS is 3.6
CFLAGS_USERMOD += -I$(copal)/include -DCOAP_DTLS=copal_dtls_$(copal_dtls)
LDFLAGS_USERMOD += -pthread -ljson-c
ifeq ($(copal_dtls),openssl)
LDFLAGS_USERMOD += -lssl -lcrypto
endif

# The core is C11, MicroPython's own flags say gnu99.
$(BUILD)/$(copal)/%.o: CFLAGS += -std=gnu11

ifneq ($(COPAL_SANITIZE),)
# No stack checks: an exception of MicroPython leaves frames by a jump that AddressSanitizer does not see.
$(BUILD)/$(copal)/%.o: CFLAGS += -fsanitize=address,undefined -fno-sanitize-recover=undefined --param asan-stack=0
LDFLAGS_USERMOD += -fsanitize=address,undefined
endif

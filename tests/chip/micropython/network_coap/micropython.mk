# network.Coap for a chip, as far as it compiles without an operating system: all of it but who turns the host and WLAN, with
# the core below. bindings/micropython/compile-chip takes the objects; nothing is linked.
copal := $(abspath $(USERMOD_DIR)/../../../..)
network_coap := $(filter-out %/driver_posix.c %/wlan.c,$(wildcard $(copal)/bindings/micropython/*.c))
SRC_USERMOD_C += $(network_coap)
SRC_USERMOD_LIB_C += $(wildcard $(foreach room,message messaging exchange blockwise resource,$(copal)/src/$(room)/*.c))
CFLAGS_USERMOD += -I$(copal)/include -DCOAP_DTLS=copal_dtls_mbedtls
$(BUILD)/$(copal)/%.o: CFLAGS += -std=gnu11

.PHONY: network_coap
network_coap: $(addprefix $(BUILD)/,$(SRC_USERMOD_C:.c=.o) $(SRC_USERMOD_LIB_C:.c=.o))

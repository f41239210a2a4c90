# MicroPython with network.Coap, included by the project's Makefile. MICROPY_DIR=… takes a checkout of one's own.
micropython_sources := $(wildcard include/copal/*.h src/*/*.[ch] src/host/*/*.[ch] src/dtls/*/*.[ch] bindings/micropython/*)
export MICROPY_DIR

# A source of one's own may change at any time, and be another one.
.PHONY: micropy_dir
micropy_dir:
build/micropython build/micropython-asan: $(if $(MICROPY_DIR),micropy_dir)

build/micropython: $(micropython_sources) | tools/installed/run ## builds MicroPython with network.Coap, in about a minute
	@bindings/micropython/build $@

# With the sanitizers in copal and the binding: what the tests run.
build/micropython-asan: $(micropython_sources) | tools/installed/run
	@bindings/micropython/build $@ sanitize

# All that needs no operating system.
.PHONY: micropython-chip
micropython-chip: | tools/installed/run tools/installed/chip ## compiles network.Coap for a Cortex-M4, and prints its size
	@bindings/micropython/compile-chip build/micropython-chip.objects

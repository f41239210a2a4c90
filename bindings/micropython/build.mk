# MicroPython with network.Coap, included by the project's Makefile. MICROPY_DIR=… takes a checkout of one's own.
micropython_sources := $(wildcard include/copal/*.h src/*/*.[ch] src/host/*/*.[ch] bindings/micropython/*)
export MICROPY_DIR

build/micropython: $(micropython_sources) | tools/installed/run
	@bindings/micropython/build $@

# With the sanitizers in copal and the binding: what the tests run.
build/micropython-asan: $(micropython_sources) | tools/installed/run
	@bindings/micropython/build $@ sanitize

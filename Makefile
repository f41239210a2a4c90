# The commands of copal; the building itself is CMake's (CMakeLists.txt). `make help` lists them.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON := /usr/bin/python3
MAKEFLAGS += --no-print-directory

.PHONY: all
all: build ## builds build/copal, build/libcopal.a, build/libcopal.so and build/libcopal_openssl.so

# ---- Builds. Each has a directory of its own, and a target of the directory's name that brings it up to date.

BUILDS := build build/asan build/asan-posix build/asan-mbedtls build/tsan build/fuzz build/fuzz-coverage build/fuzz-afl build/gcc build/clang build/coverage build/chip
.PHONY: $(BUILDS)
build: FLAGS =
build: GOALS = all
build/asan: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_WERROR=ON
build/asan: GOALS = tool tests examples
build/asan-posix: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_WERROR=ON -DCOPAL_PLATFORM=posix
build/asan-posix: GOALS = tool tests
build/asan-mbedtls: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_WERROR=ON -DCOPAL_MBEDTLS=$(CURDIR)/build/mbedtls-3.6
build/asan-mbedtls: GOALS = tests_dtls
build/asan-mbedtls: | build/mbedtls-3.6
build/tsan: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_SANITIZERS=thread -DCOPAL_WERROR=ON
build/tsan: GOALS = tests_host test_resource_threads_test
build/fuzz: FLAGS = -DCMAKE_C_COMPILER=clang -DCOPAL_SANITIZE=ON -DCOPAL_SANITIZERS=address,undefined,fuzzer-no-link -DCOPAL_WERROR=ON
build/fuzz: GOALS = fuzzers
build/fuzz-coverage: FLAGS = -DCMAKE_C_COMPILER=clang -DCOPAL_SANITIZE=ON -DCOPAL_SANITIZERS=fuzzer-no-link -DCMAKE_C_FLAGS='-fprofile-instr-generate -fcoverage-mapping'
build/fuzz-coverage: GOALS = fuzzers
build/fuzz-afl: FLAGS = -DCMAKE_C_COMPILER=afl-clang-fast
build/fuzz-afl: GOALS = fuzzers
build/fuzz-afl: | tools/installed/fuzz-afl
build/gcc: FLAGS = -DCMAKE_C_COMPILER=gcc -DCOPAL_WERROR=ON -DCOPAL_LTO=OFF
build/gcc: GOALS = all tests examples benches
build/clang: FLAGS = -DCMAKE_C_COMPILER=clang -DCOPAL_WERROR=ON -DCOPAL_PLATFORM=posix
build/clang: GOALS = all tests examples benches
build/coverage: FLAGS = -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug "-DCMAKE_C_FLAGS=--coverage -fprofile-update=atomic" -DCOPAL_LTO=OFF -DCOPAL_WERROR=ON
build/coverage: GOALS = tests_message tests_messaging tests_engine tests_blockwise tests_resource
build/chip: SOURCE = tests/chip
build/chip: FLAGS = -DCMAKE_TOOLCHAIN_FILE=$(CURDIR)/tests/chip/cortex-m4.cmake -DCMOCKA=$(CURDIR)/build/cmocka-source
build/chip: GOALS = all
build/chip: | build/cmocka-source
build/cmocka-source: | tools/installed/chip
	@tools/debian-source cmocka >/dev/null

$(BUILDS): SOURCE ?= .
$(BUILDS): tools/installed/build
	@test -e $@/Makefile || cmake -S $(SOURCE) -B $@ $(FLAGS)
	@cmake --build $@ --parallel $(JOBS) --target $(GOALS)

$(filter-out build,$(BUILDS)): tools/installed/test

.PHONY: examples
examples: build ## builds examples/*.c to build/examples/
	@cmake --build build --parallel $(JOBS) --target examples

# ---- Installing. The prefix goes into copal.pc, hence CMake is told of it first; and it may find by now what it did not
# find when the build was made, as Python for the manual. Debian's loader sees a new library in /usr/local/lib only after ldconfig.

PREFIX ?= /usr/local
.PHONY: install uninstall
install: tools/installed/build ## installs tool, library and headers to PREFIX=/usr/local, below DESTDIR= if that is given
	@cmake -S . -B build -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@$(MAKE) build
	@DESTDIR=$(DESTDIR) cmake --install build
	@case '$(DESTDIR):$(PREFIX)' in :/usr | :/usr/local) [ "$$(id -u)" != 0 ] || ! command -v ldconfig >/dev/null || ldconfig ;; esac
uninstall: ## removes what the last `make install` installed
	@sed 's|^|$(DESTDIR)|' build/install_manifest.txt | tr '\n' '\0' | xargs -0 rm -fv

.PHONY: deb deb-test
deb: tools/installed/deb ## builds the Debian packages into build/deb
	@JOBS=$(JOBS) tools/deb
deb-test: tools/installed/deb tools/installed/deb-test ## and asks lintian, and installs and tries them in a bare Debian; as root
	@JOBS=$(JOBS) tools/deb try

# What the documentation is built with is of PyPI.
.PHONY: docs build/docs-venv
docs: build/docs-venv ## builds the documentation to build/docs/html
	@build/docs-venv/bin/python -m sphinx -q -W --keep-going -b html -d build/docs/doctrees docs build/docs/html
	@echo build/docs/html/index.html
build/docs-venv: build/docs-venv/installed
build/docs-venv/installed: docs/requirements.txt | tools/installed/docs
	$(PYTHON) -m venv build/docs-venv
	build/docs-venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

# ---- Packages: tools/install says which. A file that does not exist, so that it is asked every time; it is quick.

INSTALLED := $(addprefix tools/installed/,build run peers mbedtls python python-debug chip fuzz fuzz-afl test bench lint coverage format docs deb deb-test)
.PHONY: $(INSTALLED)
$(INSTALLED): tools/installed/%:
	@tools/install $*

.PHONY: test
test: tools/installed/build tools/installed/test ## runs every test, or those of ONLY='WORD...'; the last line says how many passed
	@$(PYTHON) tools/test $(ONLY)

.PHONY: chip
chip: tools/installed/chip ## runs the core's tests on an emulated Cortex-M4
	@$(PYTHON) tools/test chip/

# With the release build in place of the sanitized one, whose memory is not copal's.
.PHONY: big
big: build build/venv ## sends 1 GB through copal serve --dir, and says how long and in how much memory
	@COPAL_BUILD=$(CURDIR)/build COPAL_ASAN_BUILD=$(CURDIR)/build build/venv/bin/python -m pytest -q -s \
	    -p no:cacheprovider tests/big

# FUZZ_SECONDS is for each target; FUZZ_TARGET names one, or several.
.PHONY: fuzz
fuzz: tools/installed/fuzz build/fuzz ## fuzzes for hours: FUZZ_SECONDS=1800 FUZZ_TARGET='codec uri'; says executions and coverage
	@FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run $(FUZZ_TARGET)

# The release build: of a sanitized one the memory is not copal's.
SOAK_SECONDS ?= 3600
.PHONY: soak
soak: build tools/installed/test ## mixed load on a server for SOAK_SECONDS=3600: nothing is lost, memory and descriptors stay
	@COPAL_BUILD=$(CURDIR)/build COPAL_ASAN_BUILD=$(CURDIR)/build SOAK_SECONDS=$(SOAK_SECONDS) $(PYTHON) tests/soak/soak.py

KILLS ?= 1000
.PHONY: kills
kills: build/asan build/venv ## kills a server KILLS=1000 times while files are written to it, and looks at what it leaves
	@COPAL_ASAN_BUILD=$(CURDIR)/build/asan COPAL_KILLS=$(KILLS) build/venv/bin/python -m pytest -q -p no:cacheprovider \
	    tests/faults/test_kills.py

.PHONY: fuzz-afl fuzz-coverage fuzz-server
fuzz-afl: build/fuzz-afl ## fuzzes with AFL++ in place of libFuzzer: FUZZ_SECONDS=1800 FUZZ_TARGET='codec uri'
	@FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run --afl $(FUZZ_TARGET)
fuzz-coverage: tools/installed/fuzz build/fuzz-coverage ## says how much of src/ the inputs known so far reach
	@fuzz/run --coverage
fuzz-server: build/asan build/venv ## sends mutated messages to copal serve under ASan for FUZZ_SECONDS=1800
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),1800) COPAL_BUILD=$(CURDIR)/build COPAL_ASAN_BUILD=$(CURDIR)/build/asan build/venv/bin/python \
	    -m pytest -q -s -p no:cacheprovider tests/tool/test_mutations.py

.PHONY: conform
conform: build build/asan build/venv build/peers/californium build/peers/go build/peers/node ## tests servers of ours and of others by copal conform, for docs/conformance.md
	@COPAL_BUILD=$(CURDIR)/build COPAL_ASAN_BUILD=$(CURDIR)/build/asan build/venv/bin/python tools/conformance

.PHONY: interop
interop: build build/asan build/venv build/peers/californium build/peers/go build/peers/node ## tries copal with each peer both ways, over UDP and DTLS, for docs/interop.md
	@build/venv/bin/python tools/interop

.PHONY: run
run: build build/micropython ## serves the example script under MicroPython, and says what to type to try it
	@bindings/micropython/run

# What the tests take from PyPI.
.PHONY: build/venv
build/venv: build/venv/installed
build/venv/installed: tests/requirements.txt | tools/installed/test
	$(PYTHON) -m venv build/venv
	build/venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

# Mbed TLS 3.6, which bookworm does not have.
build/mbedtls-3.6: | tools/installed/mbedtls
	@tools/build-mbedtls $@

# The other implementations that the interop tests speak with, of which Debian and PyPI have none: programs of our own,
# made with the compilers that Debian has, whatever else there is.
.PHONY: build/peers/californium build/peers/go build/peers/node
build/peers/californium: build/peers/californium/compiled
build/peers/californium/compiled: $(wildcard tests/interop/californium/*) | tools/installed/peers
	@mkdir -p $(@D)
	PATH=/usr/bin:$$PATH mvn -q -B -Dstyle.color=never -f tests/interop/californium dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D)/lib
	PATH=/usr/bin:$$PATH javac -Xlint:all -Werror -cp '$(@D)/lib/*' -d $(@D) tests/interop/californium/*.java
	@touch $@
build/peers/node: build/peers/node/installed
build/peers/node/installed: $(wildcard tests/interop/node/*) | tools/installed/peers
	@mkdir -p $(@D)
	cp $^ $(@D)
	cd $(@D) && npm ci --silent --no-audit --no-fund
	@touch $@
build/peers/go: | tools/installed/peers
	@mkdir -p $@
	cd tests/interop/go && PATH=/usr/bin:$$PATH go build -o $(CURDIR)/$@/ ./...

.PHONY: build/peers/rust
build/peers/rust: # it wants a newer Rust than Debian bookworm has
	@command -v cargo >/dev/null || { echo "no cargo here, so no coap-rs" >&2; exit 1; }
	@mkdir -p $@
	cp -r bench/rust/* $@/
	cd $@ && cargo build --quiet --release

.PHONY: benches bench bench-peers bench-sessions bench-post observers instructions size stack
benches: build
	@cmake --build build --parallel $(JOBS) --target benches
bench: benches tools/installed/bench ## answers per second beside a raw echo, libcoap's server and what bench-peers has installed; DTLS sessions
	@bench/run
	@bench/secure
	@bench/peers
	@bench/client
	@bench/download
	@bench/post $(SECONDS)
	@bench/plot
bench-peers: build/venv build/peers/californium build/peers/go build/peers/node build/peers/rust ## installs aiocoap, Californium, go-coap, node-coap, coap-rs, for make bench
bench-sessions: benches tools/installed/bench ## memory and CPU for a handshake, of 10,000 and 100,000 DTLS sessions
	@bench/secure 3 10000 100000
SECONDS = 300
bench-post: benches ## POSTs from 4,000 peers for SECONDS=300, with copies; none may run twice
	@bench/post $(SECONDS)
observers: benches tools/installed/bench ## CPU for a notification and memory for an observer, beside libcoap's server
	@bench/observers
instructions: benches tools/installed/bench ## user-space instructions for a GET, one after another and many at once, by callgrind
	@bench/instructions
size: tools/installed/bench tools/installed/chip ## octets of the core for a Cortex-M4, by part, and the memory it is to be given
	@bench/size
stack: tools/installed/bench ## stack that each function of the core takes there; says where anything calls itself
	@bench/stack

.PHONY: lint
lint: tools/installed/lint ## what clang-tidy, its static analyzer included, and scan-build say to the sources; many minutes
	@JOBS=$(JOBS) tools/lint
	@JOBS=$(JOBS) tools/scan

.PHONY: coverage
coverage: build/coverage tools/installed/coverage ## how much of the core its tests run, by file: branches, and lines
	@tools/coverage

# Lays out what has changed since the last commit; the rest is left as people wrote it.
.PHONY: format
format: tools/installed/format ## lays out the C files that have changed, by .clang-format
	@git ls-files -mo --exclude-standard '*.[ch]' | xargs -r clang-format-14 -i

.PHONY: clean
clean: ## removes build/
	rm -rf build

.PHONY: help
help: ## lists the commands
	@sed -n 's/^\([a-z/-]*\):.*## /make \1 — /p' $(MAKEFILE_LIST)

-include bindings/micropython/build.mk bindings/python/build.mk

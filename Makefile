# The commands of copal; the building itself is CMake's (CMakeLists.txt). `make help` lists them.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PYTHON := /usr/bin/python3
MAKEFLAGS += --no-print-directory

.PHONY: all
all: build ## builds build/copal, build/libcopal.a and build/libcopal.so

# ---- Builds. Each has a directory of its own, and a target of the directory's name that brings it up to date.

.PHONY: build build/asan build/asan-posix build/gcc build/clang
build build/asan build/asan-posix build/gcc build/clang: tools/installed/build

build: FLAGS =
build: GOALS = all
build/asan: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_WERROR=ON
build/asan: GOALS = tool tests examples
build/asan-posix: FLAGS = -DCOPAL_SANITIZE=ON -DCOPAL_WERROR=ON -DCOPAL_PLATFORM=posix
build/asan-posix: GOALS = tool tests
build/gcc: FLAGS = -DCMAKE_C_COMPILER=gcc -DCOPAL_WERROR=ON
build/gcc: GOALS = all tests examples benches
build/clang: FLAGS = -DCMAKE_C_COMPILER=clang -DCOPAL_WERROR=ON
build/clang: GOALS = all tests examples benches

build build/asan build/asan-posix build/gcc build/clang:
	@test -e $@/CMakeCache.txt || cmake -S . -B $@ $(FLAGS)
	@cmake --build $@ --parallel $(JOBS) --target $(GOALS)

build/asan build/asan-posix build/gcc build/clang: tools/installed/test

.PHONY: examples
examples: build ## builds examples/*.c to build/examples/
	@cmake --build build --parallel $(JOBS) --target examples

# ---- Packages: tools/install says which. A file that does not exist, so that it is asked every time; it is quick.

.PHONY: tools/installed/build tools/installed/test tools/installed/run
tools/installed/build tools/installed/test tools/installed/run: tools/installed/%:
	@tools/install $*

.PHONY: test
test: tools/installed/build tools/installed/test ## runs every test, or those of ONLY='WORD...'; the last line says how many passed
	@$(PYTHON) tools/test $(ONLY)

# What the tests take from PyPI.
.PHONY: build/venv
build/venv: build/venv/installed
build/venv/installed: tests/requirements.txt | tools/installed/test
	$(PYTHON) -m venv build/venv
	build/venv/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

.PHONY: clean
clean: ## removes build/
	rm -rf build

.PHONY: help
help: ## lists the commands
	@sed -n 's/^\([a-z-]*\):.*## /make \1 — /p' Makefile

-include bindings/micropython/build.mk

# The Python package copal-coap, included by the project's Makefile.
python_sources := pyproject.toml CMakeLists.txt $(wildcard include/copal/*.h src/*/*.[ch] src/*/*/*.[ch] \
    bindings/python/* bindings/python/src/* bindings/python/copal/*.py* bindings/python/copal/*/*.py)
pip_install := pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
    --config-settings=build-dir=$(CURDIR)/build/python.objects

# In the environment that pytest runs in.
.PHONY: build/python
build/python: build/venv/copal
build/venv/copal: $(python_sources) | build/venv tools/installed/python
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) build/venv/bin/$(pip_install) .
	@touch $@

# What installs like everybody else's, without the project's tree: dist/copal_coap-*.tar.gz and *.whl below build.
.PHONY: dist
dist: build/python ## makes the Python package's sdist and wheel in build/dist
	@rm -rf build/dist
	@build/venv/bin/python -c 'import scikit_build_core.build as b; print(b.build_sdist("build/dist"))'
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) build/venv/bin/pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation \
	    -w build/dist build/dist/*.tar.gz

# One wheel serves all of them.
.PHONY: pythons
pythons: dist build ## tests the wheel with each other Python from 3.9 on that is found
	@COPAL_BUILD=$(CURDIR)/build bindings/python/pythons build/dist/*.whl

.PHONY: bench-python
bench-python: build/python benches ## requests per second and memory of copal for Python, beside aiocoap
	@cd bench && ../build/venv/bin/python python.py

# How often each of the ways is tried; there are ten.
EXITS = 30
pytest_exits = -m pytest -q -p no:cacheprovider tests/python/test_exits.py

.PHONY: exits
exits: build/python ## lets 300 interpreters end under a flood of datagrams
	@COPAL_BUILD=$(CURDIR)/build COPAL_EXITS=$(EXITS) build/venv/bin/python $(pytest_exits)

# And in an interpreter of Debian that checks itself, with the sanitizers in copal and the binding, which see the
# memory of Python's objects, too; also calls without memory, and amid the collection of garbage. What Python itself keeps
# until its end is no leak.
.PHONY: build/python-asan exits-sanitized
build/python-asan: build/python-asan/copal
build/python-asan/copal: $(python_sources) | build/venv tools/installed/python
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) build/venv/bin/$(subst python.objects,python-asan.objects,$(pip_install)) \
	    --config-settings=cmake.define.COPAL_SANITIZE=ON --config-settings=install.strip=false --upgrade --target $(@D) .
	@touch $@
exits-sanitized: build/python-asan tools/installed/python-debug ## the same, and without memory, under a Python that checks itself, with the sanitizers
	@COPAL_BUILD=$(CURDIR)/build COPAL_EXITS=$(EXITS) PYTHONMALLOC=malloc LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
	    PYTHONPATH=$(CURDIR)/build/python-asan:$$(echo build/venv/lib/python3*/site-packages) /usr/bin/python3-dbg $(pytest_exits) \
	    tests/python/test_memory.py tests/python/test_garbage.py

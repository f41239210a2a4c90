# The Python package copal-coap, included by the project's Makefile.
python_sources := pyproject.toml CMakeLists.txt $(wildcard include/copal/*.h src/*/*.[ch] src/*/*/*.[ch] \
    bindings/python/* bindings/python/src/* bindings/python/copal/*.py* bindings/python/copal/*/*.py)
pip_install := pip install -q --disable-pip-version-check --no-deps --no-build-isolation \
    --config-settings=build-dir=$(CURDIR)/build/python.objects

# In the environment that pytest runs in.
.PHONY: build/python
build/python: build/venv/copal
build/venv/copal: $(python_sources) | build/venv tools/installed/build
	CMAKE_BUILD_PARALLEL_LEVEL=$(JOBS) build/venv/bin/$(pip_install) .
	@touch $@

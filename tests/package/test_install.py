"""`make install`, and programs outside of the tree that are built with what it installed."""
import os
import re
from pathlib import Path

import pytest

from support.installed import declared, files, make, run
from support.process import ROOT, Program

HEADERS = sorted(path.relative_to(ROOT / "include").as_posix() for path in (ROOT / "include/copal").glob("*.h"))
ADAPTERS = sorted(f"copal/adapters/{path.name}" for path in (ROOT / "adapters").glob("*.h"))
PROGRAM = Path(__file__).with_name("outside.c")


def defined(library, *options):
    symbols = run("nm", *options, "--extern-only", "--defined-only", str(library))
    return {name.split("@")[0] for kind, name in re.findall(r" ([A-Z]) (\S+)$", symbols, re.MULTILINE) if kind != "A"}


def test_what_is_installed_is_where_it_is_looked_for(installed):
    expected = {"bin/copal", "share/man/man1/copal.1", "share/bash-completion/completions/copal",
                "share/zsh/site-functions/_copal", "share/fish/vendor_completions.d/copal.fish"} | {f"include/{name}" for name in HEADERS + ADAPTERS}
    libraries = installed.libraries.relative_to(installed.prefix).as_posix()
    expected |= {f"{libraries}/{name}" for name in ("libcopal.a", "libcopal.so", "libcopal_openssl.so", "pkgconfig/copal.pc",
                                                    "cmake/copal/copal-config.cmake")}
    assert expected <= set(files(installed.prefix))
    assert run(str(installed.prefix / "bin/copal"), "--version").startswith("copal ")


def test_destdir_is_put_before_the_prefix_and_uninstall_removes_all(tmp_path):
    make("install", "PREFIX=/opt/copal", f"DESTDIR={tmp_path}")
    assert all(name.startswith("opt/copal/") for name in files(tmp_path))
    text = next(tmp_path.rglob("copal.pc")).read_text()
    assert "prefix=/opt/copal\n" in text and str(tmp_path) not in text
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files(tmp_path) == []


def test_the_shared_libraries_export_what_the_headers_declare_and_nothing_else(installed):
    elsewhere = {"copal_dtls_openssl", "copal_dtls_mbedtls"}  # libraries of their own
    assert defined(installed.libraries / "libcopal.so", "-D") == declared() - elsewhere
    assert defined(installed.libraries / "libcopal_openssl.so", "-D") == {"copal_dtls_openssl"}


@pytest.mark.parametrize("name", ["libcopal.so", "libcopal_openssl.so"])
def test_the_soname_has_the_first_number_of_the_version(installed, name):
    library = installed.libraries / name
    version = run(str(installed.prefix / "bin/copal"), "--version").split()[1]
    assert f"[{name}.{version.split('.')[0]}]" in run("readelf", "-d", str(library))
    assert library.resolve().name == f"{name}.{version}"


def test_the_installed_tool_finds_its_library_for_dtls(installed):
    tool, loaded = str(installed.prefix / "bin/copal"), str(installed.libraries / "libcopal_openssl.so.0")
    with Program(tool, "serve", "--bind", "127.0.0.1", "--port", "0", "--psk", "k", "--resource", "a=1") as server:
        uri = server.wait_for("coaps://[^ ]+").group()
        with open(f"/proc/{server.process.pid}/maps") as maps:
            assert any(os.path.realpath(loaded) in line for line in maps)
        assert run(tool, "get", "--psk", "k", "--identity", "i", uri + "/a") == "1"


@pytest.mark.parametrize("header", HEADERS + ADAPTERS)
def test_a_header_stands_alone_in_c_and_in_cpp(installed, tmp_path, header):
    c = "c11" if header in HEADERS else "gnu11"  # libuv's header takes more than C11
    for compiler, standard, suffix in (("gcc", c, "c"), ("g++", "c++17", "cc")):
        source = tmp_path / f"main.{suffix}"
        source.write_text(f"#include <{header}>\nint main() {{ return 0; }}\n")
        run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Wno-strict-prototypes", "-Werror",
            f"-I{installed.prefix}/include", "-fsyntax-only", str(source))


def test_the_headers_name_the_symbols_of_c_in_cpp(installed, tmp_path):
    (tmp_path / "main.cc").write_text(PROGRAM.read_text())
    run("g++", "-std=c++17", "-Wall", "-Werror", "main.cc", *installed.flags("--cflags", "--libs"), "-o", "main",
        cwd=tmp_path)
    assert run(str(tmp_path / "main"), LD_LIBRARY_PATH=str(installed.libraries)) == "hello\n"


@pytest.mark.parametrize("arguments, needed", [(["--cflags", "--libs"], True),
                                               (["--static", "--cflags", "--libs"], False)])
def test_a_program_builds_by_pkg_config(installed, tmp_path, arguments, needed):
    flags = installed.flags(*arguments)
    if not needed:  # as a linker is told to take an archive where there is a shared library beside it
        flags[flags.index("-lcopal")] = "-l:libcopal.a"
    run("gcc", str(PROGRAM), *flags, "-o", "main", cwd=tmp_path)
    assert ("libcopal.so.0" in run("readelf", "-d", str(tmp_path / "main"))) == needed
    assert run(str(tmp_path / "main"), LD_LIBRARY_PATH=str(installed.libraries)) == "hello\n"


@pytest.mark.parametrize("target, needed", [("copal::copal", True), ("copal::copal_static", False)])
def test_a_program_builds_by_cmake(installed, tmp_path, target, needed):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(outside C)\nfind_package(copal 0.1 REQUIRED)\n"
        f"add_executable(main {PROGRAM})\ntarget_link_libraries(main {target})\n")
    run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    assert ("libcopal.so.0" in run("readelf", "-d", str(tmp_path / "build/main"))) == needed
    assert run(str(tmp_path / "build/main")) == "hello\n"


# It asks itself, over DTLS.
SECURE = PROGRAM.with_name("outside_secure.c")


def needed(program):
    return set(re.findall(r"\[(lib(?:copal|ssl)\S*)\]", run("readelf", "-d", str(program))))


def test_by_pkg_config_openssl_comes_to_who_names_it_and_to_nobody_else(installed, tmp_path):
    for source, libraries in (PROGRAM, {"libcopal.so.0"}), (SECURE, {"libcopal.so.0", "libcopal_openssl.so.0"}):
        run("gcc", str(source), *installed.flags("--cflags", "--libs"), "-o", "main", cwd=tmp_path)
        assert needed(tmp_path / "main") == libraries
        assert run(str(tmp_path / "main"), LD_LIBRARY_PATH=str(installed.libraries)) == "hello\n"


def test_by_cmake_too(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(outside C)\nfind_package(copal 0.1 REQUIRED)\n"
        f"add_executable(plain {PROGRAM})\nadd_executable(shared {SECURE})\nadd_executable(static {SECURE})\n"
        "target_link_libraries(plain copal::copal)\ntarget_link_libraries(shared copal::copal)\n"
        "target_link_libraries(static copal::copal_static)\n")
    run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    for name, libraries in (("plain", {"libcopal.so.0"}), ("shared", {"libcopal.so.0", "libcopal_openssl.so.0"}),
                            ("static", {"libssl.so.3"})):
        assert needed(tmp_path / "build" / name) == libraries
        assert run(str(tmp_path / "build" / name)) == "hello\n"


def test_mbed_tls_does_dtls_by_pkg_config_and_by_cmake(installed, tmp_path):
    flags = run("pkg-config", "--cflags", "--libs", "copal-mbedtls",
                PKG_CONFIG_PATH=str(installed.libraries / "pkgconfig")).split()
    run("gcc", "-DBACKEND=copal_dtls_mbedtls", str(SECURE), *flags, "-o", "main", cwd=tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(outside C)\nfind_package(copal 0.1 REQUIRED COMPONENTS mbedtls)\n"
        f"add_executable(main {SECURE})\ntarget_link_libraries(main copal::copal copal::mbedtls)\n"
        "target_compile_definitions(main PRIVATE BACKEND=copal_dtls_mbedtls)\n")
    run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}", cwd=tmp_path)
    run("cmake", "--build", "build", cwd=tmp_path)
    for program in tmp_path / "main", tmp_path / "build/main":
        assert needed(program) == {"libcopal.so.0"}
        assert run(str(program), LD_LIBRARY_PATH=str(installed.libraries)) == "hello\n"


def test_cmake_says_which_component_is_not_there(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(outside C)\n"
                                             "find_package(copal 0.1 QUIET COMPONENTS other)\nmessage(STATUS found=${copal_FOUND})\n")
    assert "found=0" in run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}", cwd=tmp_path)


def test_cmake_refuses_another_version(installed, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("cmake_minimum_required(VERSION 3.18)\nproject(outside C)\n"
                                             "find_package(copal 0.2 QUIET)\nmessage(STATUS found=${copal_FOUND})\n")
    assert "found=0" in run("cmake", "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={installed.prefix}", cwd=tmp_path)

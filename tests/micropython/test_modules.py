"""The files that make a user C module of this: each port gets what it needs, once."""
import subprocess

import pytest

from support.process import ROOT


def by_cmake(folder, dtls):
    (folder / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(port C)\nadd_library(usermod INTERFACE)\n"
        f"include({ROOT}/bindings/micropython/micropython.cmake)\n"
        'get_target_property(sources usermod_copal INTERFACE_SOURCES)\nfile(WRITE sources "${sources}")\n')
    subprocess.run(["cmake", "-S", ".", "-B", "build", f"-DCOPAL_DTLS={dtls}"], cwd=folder, check=True, capture_output=True)
    return (folder / "sources").read_text().split(";")


def by_make(folder, dtls):
    (folder / "Makefile").write_text(f"USERMOD_DIR := {ROOT}/bindings/micropython\nBUILD := {folder}\n"
                                     "include $(USERMOD_DIR)/micropython.mk\n"
                                     ".DEFAULT_GOAL := list\nlist:\n\t@echo $(SRC_USERMOD_C) $(SRC_USERMOD_LIB_C)\n")
    done = subprocess.run(["make", "-s", f"COPAL_DTLS={dtls}"], cwd=folder, check=True, capture_output=True, text=True)
    return [name.replace("/src/../", "/") for name in done.stdout.split()]


@pytest.mark.parametrize("system", [by_cmake, by_make])
@pytest.mark.parametrize("dtls, more", [("openssl", ["openssl"]), ("mbedtls", ["mbedtls", "mbedtls/3"])])
def test_a_port_gets_all_rooms_with_one_platform_and_one_library(system, dtls, more, tmp_path):
    names = [name.removeprefix(f"{ROOT}/") for name in system(tmp_path, dtls)]
    rooms = [room.name for room in (ROOT / "src").iterdir() if room.is_dir() and room.name != "directory"]
    wanted = [f"src/{room}" for room in rooms] + ["src/host/linux"] + [f"src/dtls/{part}" for part in more]
    files = {path.relative_to(ROOT).as_posix() for place in wanted for path in (ROOT / place).glob("*.c")}
    files |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "bindings/micropython").glob("*.c")}
    if system is by_cmake:
        files.remove("bindings/micropython/wlan.c")  # these ports have a WLAN of their own
    assert sorted(names) == sorted(files)

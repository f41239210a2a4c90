"""The core compiled for a Cortex-M4 at -Os, for bench/size and bench/stack. CROSS is the prefix of the tools (arm-none-eabi-)."""
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["message", "messaging", "exchange", "blockwise", "resource"]
CROSS = os.environ.get("CROSS", "arm-none-eabi-")
TARGET = ["-mcpu=cortex-m4", "-mthumb"]
FLAGS = [*TARGET, *"-Os -std=c11 -ffunction-sections -fdata-sections -Werror -c".split()]
# All that the core needs of a C library.
STRING_H = """
#include <stddef.h>
void *memcpy(void *restrict, const void *restrict, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);
"""


def compiled(place, root=ROOT, *flags):
    """{source: object} of the core of the house at `root`; the objects, and what `flags` make, lie in `place`."""
    (place / "string.h").write_text(STRING_H)
    objects = {}
    for source in (path for room in ROOMS for path in sorted((root / "src" / room).glob("*.c"))):
        objects[source] = place / f"{source.parent.name}-{source.stem}.o"
        # -ffreestanding takes the compiler's own <stdint.h>; -fbuiltin still lets it put a small memcpy in place.
        subprocess.run([CROSS + "gcc", *FLAGS, *flags, "-ffreestanding", "-fbuiltin", f"-I{place}", f"-I{root}/include",
                        source, "-o", objects[source]], check=True)
    return objects

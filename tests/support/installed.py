"""`make install` into a directory of the test's own."""
import os
import re
import subprocess
from pathlib import Path

from support.process import ROOT, SECONDS


def run(*command, cwd=None, **environment):
    """Runs a command to its end: standard output as text."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
                          env=os.environ | environment)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def make(*arguments):
    """The project's make, without what another one that runs the tests has set for it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-C", ROOT, *arguments], env=kept, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


class Installed:
    def __init__(self, prefix):
        self.prefix = Path(prefix)
        make("install", f"PREFIX={prefix}")
        self.libraries = next(self.prefix.rglob("copal.pc")).parents[1]

    def flags(self, *arguments):
        """What pkg-config says that a compiler needs."""
        return run("pkg-config", *arguments, "copal", PKG_CONFIG_PATH=str(self.libraries / "pkgconfig")).split()


def files(directory):
    return sorted(path.relative_to(directory).as_posix() for path in Path(directory).rglob("*") if not path.is_dir())


def declared():
    """The names of functions and objects that the public headers declare and somebody else has to define."""
    names = set()
    for header in (ROOT / "include/copal").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
        text = re.sub(r"^static inline .*$", "", text, flags=re.MULTILINE)
        names |= set(re.findall(r"^[a-z][\w *]*\b(copal_\w+)\(", text, re.MULTILINE))
        names |= set(re.findall(r"^extern [\w ]*\b(copal_\w+);", text, re.MULTILINE))
    return names

"""What the measurements found, in build/bench/results.json: by what was measured and whose server or client it was; bench/plot
draws the rates."""
import json
import os
import platform
import re
import time
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / "build/bench/results.json"


def load():
    return json.loads(PLACE.read_text()) if PLACE.exists() else {}


def machine():
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return {"processor": model[1] if model else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release()}


def record(what, whose, **figures):
    """Replaces what was known of it. The load tells how far others were busy meanwhile."""
    known = load()
    known["machine"] = machine()
    known.setdefault(what, {})[whose] = {**figures, "load": round(os.getloadavg()[0], 1),
                                         "day": time.strftime("%Y-%m-%d", time.gmtime())}
    PLACE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")

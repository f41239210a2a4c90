"""The manual's two example scripts, taken verbatim from the manual where it is present, and what they need to run:
addresses of their own, since both want port 5683, and a host that is called what the client script calls its server."""
import os
import random
import re
from pathlib import Path

SERVER_NAME = "server-ip-address"


def _page():
    shared = os.environ.get("COPAL_SHARED")
    path = Path(shared) / "manual/network-coap-manual.txt" if shared else None
    return path.read_text() if path and path.exists() else None


def _between(page, start, end):
    found = re.search(rf"^{re.escape(start)}$\n(.*?)^{re.escape(end)}$", page, re.MULTILINE | re.DOTALL)
    assert found, f"the manual has no part from {start!r} to {end!r}"
    return found.group(1).strip("\n") + "\n"


def server_script():
    """Its text, or None where there is no manual."""
    page = _page()
    return page and _between(page, "Usage Example of CoAp Server", "Usage Example of CoAp Client")


def client_script():
    page = _page()
    return page and _between(page, "Usage Example of CoAp Client", "Initialization")


def addresses(count):
    """So many loopback addresses that nobody else uses, most likely."""
    return [f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}" for _ in range(count)]


def with_server_name(folder, address, *command):
    """The command, changed so that it finds SERVER_NAME at `address`; without one, what to put before it. It gets a
    hosts file of its own, in a name space of its own; the machine's is not touched. Where the system allows it, this
    needs no privilege."""
    hosts = Path(folder) / "hosts"
    hosts.write_text(f"{address} {SERVER_NAME}\n127.0.0.1 localhost\n")
    private = "-m" if os.geteuid() == 0 else "-rm"
    return ["unshare", private, "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts), *command]

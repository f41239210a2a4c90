"""A host name with several addresses, as localhost is one."""
import os
import re
import subprocess
from pathlib import Path

from support.process import SECONDS

BUILD = Path(os.environ["COPAL_ASAN_BUILD"])
HOSTS = """
::1 twofold
127.0.0.1 twofold
"""


def test_the_next_address_is_asked_when_one_is_unreachable(tmp_path):
    (tmp_path / "hosts").write_text(HOSTS)
    server = subprocess.Popen([BUILD / "copal", "serve", "--bind", "127.0.0.1", "--port", "0", "--resource", "a=here"],
                              stdout=subprocess.PIPE, text=True)
    try:
        port = re.search(r":(\d+)$", server.stdout.readline().strip())[1]
        private = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
        answer = subprocess.run(
            ["unshare", *private, "sh", "-c", 'mount --bind "$1" /etc/hosts && exec "$2" get "$3"', "sh",
             tmp_path / "hosts", BUILD / "copal", f"coap://twofold:{port}/a"], capture_output=True, text=True)
        assert (answer.stdout, answer.stderr) == ("here", "2.05 Content\n")
    finally:
        server.terminate()
        server.wait(SECONDS)

"""The peers on a link of the tests' own, never on the machine's: clients that ask a group at once, and servers that are members
of it (RFC 7252 section 8)."""
import re
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from interop import peers
from support.namespace import Host
from support.process import SECONDS, Program, copal_binary, environment

IPV4, IPV6 = "224.0.1.187", "ff02::fd"  # All CoAP Nodes
PORT = 5683
PATIENCE = 15  # seconds: longer than the leisure of 5 that a server may take by as much as a busy machine may need


class Link:
    """A host of who asks, and two of servers."""

    def __init__(self):
        with ExitStack() as stack:
            middle = stack.enter_context(Host())
            self.asker, *self.members = [stack.enter_context(Host(middle)) for _ in range(3)]
            middle.join(self.asker, *self.members)
            self._stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stack.close()


# ---- clients: ask(uri) -> an Answer for each that came from a member within PATIENCE


def run(host, *command):
    done = subprocess.run([*host.enter, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, env=environment())
    assert done.returncode in (0, 1, 3), done  # 1: some say errors, 3: nobody says anything
    return done.stdout.decode(), done.stderr.decode()


class Copal:
    def __init__(self, host):
        self._host = host

    def ask(self, uri):
        """The tool's trace holds the errors; a line of its output who has answered, and with what."""
        command = ["discover", uri.replace("/.well-known/core", "")] if "/.well-known/core" in uri else ["get", uri]
        out, trace = run(self._host, copal_binary(), *command, "-v", "--timeout", str(PATIENCE))
        failures = re.findall(r"^<- \S+ NON ([45]\.\d\d) ", trace, re.MULTILINE)
        return [peers.Answer("2.05", line.split(" ", 1)[1].encode()) for line in out.splitlines()] + [
            peers.Answer(code, b"") for code in failures]

    def close(self):
        pass


class Libcoap(Copal):
    def ask(self, uri):
        with tempfile.TemporaryDirectory() as folder:
            out, log = run(self._host, peers.program("coap-client", peers.VARIANTS), "-v", "7", "-N", "-B", str(PATIENCE),
                           "-o", str(Path(folder, "out")), uri)
        answers = re.findall(r"^v:1 t:NON c:([2-5]\.\d\d) \S+ \S+ \[.*?\](?: :: '(.*)')?$", out + log, re.MULTILINE)
        return [peers.Answer(code, payload.encode()) for code, payload in answers]


class Lines:
    """Programs of ours, which say each answer when it comes."""

    def __init__(self, host):
        self.COMMAND = (*host.enter, *self.COMMAND)
        super().__init__()

    def ask(self, uri):
        heard = self.tell("get", uri, non=True)
        time.sleep(PATIENCE)
        return [each for each in heard if isinstance(each, peers.Answer)]


class Aiocoap(Lines, peers.Aiocoap):
    pass


class Californium(Lines, peers.Californium):
    pass


class GoCoap(Lines, peers.GoCoap):
    pass


class NodeCoap(Lines, peers.NodeCoap):
    pass


# ---- servers, each a member of one group


class CopalServer:
    def __init__(self, host, group):
        self._server = Program(*host.enter, copal_binary(), "serve", "--discoverable", "-r", "test=21.5;ct=text;rt=sensor")
        self._server.wait_for("^listening on")

    def close(self):
        assert self._server.end() == 0, self._server.lines


class LibcoapServer:
    def __init__(self, host, group):
        own = {IPV4: "0.0.0.0", IPV6: "::"}[group]
        self._server = Program(*host.enter, peers.program("coap-server", peers.VARIANTS), "-A", own, "-g", group, "-G", "v0",
                               "-d", "1", "-v", "7")
        self._server.wait_for("added mcast group")
        run(host, copal_binary(), "put", "coap://127.0.0.1/test", "21.5", "-t", "text")

    def close(self):
        self._server.end()


class Started:
    """Programs of ours, which are members of the group that they are given for an address."""

    def __init__(self, host, group):
        self.COMMAND = (*host.enter, *self.COMMAND)
        super().__init__(group, PORT)


class AiocoapServer(Started, peers.AiocoapServer):
    pass


class CaliforniumServer(Started, peers.CaliforniumServer):
    pass


class GoCoapServer(Started, peers.GoCoapServer):
    pass


class NodeCoapServer(Started, peers.NodeCoapServer):
    pass

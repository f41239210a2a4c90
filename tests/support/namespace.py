"""Network namespaces that tests make for themselves: hosts joined by cables (veth). Each lives as long as a process that waits
in it, so nothing is left behind however a test ends, and runs side by side never meet."""
import subprocess

from support.process import SECONDS, until


def _kind():
    """How this machine makes namespaces: as root, or in a user namespace of its own."""
    for flags in ([], ["--user", "--map-root-user"]):
        tried = subprocess.run(["unshare", *flags, "--net", "true"], capture_output=True, timeout=SECONDS)
        if tried.returncode == 0:
            return flags
    raise AssertionError("this machine lets nobody make network namespaces, which this test needs: "
                         + tried.stderr.decode(errors="replace").strip())


class Host:
    """A network namespace. `enter` is the prefix of commands that run in it; a host made within another is beside it."""

    def __init__(self, within=None):
        flags = within.flags if within else _kind()
        command = [*within.enter, "unshare", "--net"] if within else ["unshare", *flags, "--net"]
        self.flags = flags
        self.process = subprocess.Popen([*command, "sh", "-c", "echo here; exec cat"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"here\n", "there is no namespace"
        user = ["--user", "--preserve-credentials"] if flags else []
        self.enter = ["nsenter", "--target", str(self.process.pid), *user, "--net"]
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        done = subprocess.run([*self.enter, *command], capture_output=True, timeout=SECONDS)
        assert done.returncode == 0, (command, done.stderr)
        return done.stdout.decode()

    def address(self, interface, number, own):
        """Addresses of the cable `number`: IPv4, link-local and global IPv6. Nobody is to ask whether they are free, which
        would take a second."""
        self.run("ip", "link", "set", interface, "addrgenmode", "none")
        self.run("ip", "address", "add", f"10.77.{number}.{own}/24", "dev", interface)
        self.run("ip", "link", "set", interface, "up")
        for address in (f"fe80::{own}", f"fd00:77:{number}::{own}"):
            self.run("ip", "address", "add", f"{address}/64", "dev", interface, "nodad")

    def cable(self, other, number):
        """Joins two hosts, of which this one is 1 and calls its end v<number>, and the other 2 and v0."""
        name = f"v{number}"
        self.run("ip", "link", "add", name, "type", "veth", "peer", "name", "v0", "netns", str(other.process.pid))
        self.address(name, number, 1)
        other.address("v0", number, 2)
        until(lambda: "LOWER_UP" in self.run("ip", "link", "show", name))

    def join(self, *others):
        """Puts other hosts on one link that this one passes everything on. They are 1, 2 and so on, call their ends v0, and
        send there what goes to a group."""
        self.run("ip", "link", "add", "b0", "type", "bridge", "mcast_snooping", "0")
        self.run("ip", "link", "set", "b0", "up")
        for own, other in enumerate(others, 1):
            name = f"v{own}"
            self.run("ip", "link", "add", name, "master", "b0", "type", "veth", "peer", "name", "v0", "netns", str(other.process.pid))
            self.run("ip", "link", "set", name, "up")
            other.address("v0", 1, own)
            other.run("ip", "route", "add", "224.0.0.0/4", "dev", "v0")
            until(lambda: "state forwarding" in self.run("ip", "-details", "link", "show", name))

    def end(self):
        self.process.stdin.close()
        self.process.wait(SECONDS)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.end()

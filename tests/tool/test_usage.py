"""Wrong usage: status 2, nothing on standard output, and a message that says what to do."""
import re

import pytest

from support.process import copal

URI = "coap://127.0.0.1/"


def refused(*arguments):
    done = copal(*arguments)
    assert (done.returncode, done.stdout) == (2, b""), done
    return done.stderr


@pytest.mark.parametrize("arguments, hint", [
    (["-v", "get", URI], "options go behind the command, as in 'copal get -v ...'"),
    (["--non", "get", URI], "options go behind the command, as in 'copal get --non ...'"),
    (["GET", URI], "did you mean 'get'?"),
    (["lst"], "'copal help' lists them"),
    (["subscribe"], "'copal help' lists them"),
    (["gte", URI], "did you mean 'get'?"),
    (["discvoer"], "did you mean 'discover'?"),
    (["observe-all"], "'copal help' lists them"),
    (["coap://localhost/a"], "did you mean 'copal get coap://localhost/a'?"),
    (["help", "srve"], "did you mean 'serve'?"),
    (["help", "get", "put"], "one command at a time"),
    (["get"], "a URI is missing"),
    (["get", URI, "payload"], "'payload' is one operand too many"),
    (["put", URI, "two", "words"], "quote a payload that holds blanks"),
    (["put", URI, "x", "-f", "-"], "given twice"),
    (["put", URI], "a payload is missing; '' sends an empty one"),
    (["delete", URI, "x"], "takes a URI only"),
    (["get", "--nno", URI], "did you mean '--non'?"),
    (["get", "--NON-", URI], "did you mean '--non'?"),
    (["get", "--payload", "x", URI], "no option '--payload'"),
    (["get", "-z", URI], "no option '-z'"),
    (["put", URI, "-5"], "goes behind '--'"),
    (["get", "--non=yes", URI], "'--non' takes no value"),
    (["get", URI, "--accept"], "option '--accept' needs a value"),
    (["get", URI, "-a", "jsn"], "'jsn' is no Content-Format"),
    (["get", URI, "-a", "65536"], "'65536' is no Content-Format"),
    (["put", URI, "-t", "-1", "x"], "'-1' is no Content-Format"),
    (["get", URI, "--timeout", "soon"], "--timeout takes seconds"),
    (["get", URI, "--timeout", "0"], "--timeout takes seconds"),
    (["get", URI, "--timeout", "-1"], "--timeout takes seconds"),
    (["get", URI, "--etag", ""], "1 to 8 octets"),
    (["get", URI, "--etag", "ninechars"], "1 to 8 octets"),
    (["get", URI, "--etag", "0x123"], "in hexadecimal"),
    (["get", URI, "--if-match", "0xgg"], "in hexadecimal"),
    (["get", URI, "--token", "x" * 256], "0 to 255 octets"),
    (["ping"], "a URI is missing"),
    (["ping", URI, "-c", "0"], "--count takes a number"),
    (["ping", URI, "-i", "x"], "--interval takes seconds"),
    (["ping", URI, URI], "one operand too many"),
    (["bench"], "a URI is missing"),
    (["bench", URI, "x"], "say by --method"),
    (["bench", "-m", "put", URI, "x", "y"], "quote a payload that holds blanks"),
    (["bench", "-m", "put", URI, "x", "-f", "-"], "given twice"),
    (["bench", "-m", "put", URI, "x" * 1025], "has 1024 octets at most, not 1025"),
    (["bench", "-m", "putt", URI], "--method takes get, put"),
    (["bench", URI, "-s", "0"], "--sockets takes a number from 1 to 4096"),
    (["bench", URI, "-o", "1025"], "--outstanding takes a number from 1 to 1024"),
    (["bench", URI, "-c", "0"], "--count takes a number"),
    (["bench", URI, "-r", "0"], "--rate takes requests per second"),
    (["bench", URI, "-r", "fast"], "--rate takes requests per second"),
    (["bench", URI, "-d", "0"], "--duration takes seconds"),
    (["bench", URI, "--warm-up", "-1"], "--warm-up takes seconds"),
    (["bench", URI, "--timeout", "0"], "--timeout takes seconds"),
    (["bench", URI, "--psk", "x"], "did you mean 'coaps://127.0.0.1/'?"),
    (["bench", "coap://224.0.1.187/"], "bench asks one"),
    (["discover", "--psk", "x"], "a group cannot be asked by DTLS"),
    (["get", "coap://224.0.1.187/", "-o", "x"], "are for one host"),
    (["get", "coap://224.0.1.187/", "--etag", "x"], "are for one host"),
    (["get", "coaps://224.0.1.187/", "--psk", "x", "--identity", "x"], "did you mean 'coap://224.0.1.187/'?"),
    (["get", "coap://[ff02::fd%25nowhere]/"], "no such interface"),
    (["ping", "coap://224.0.1.187/"], "ping asks one"),
    (["observe", "coap://[ff02::fd]/"], "observe asks one"),
    (["discover", URI, URI], "one operand too many"),
    (["discover", URI, "-i", "lo"], "--interface is for groups, and 'coap://127.0.0.1/' is one host"),
    (["serve", "a=1"], "--resource"),
    (["serve", "--port", "65536"], "--port takes a number from 0 to 65535"),
    (["serve", "--port", "coap"], "--port takes a number from 0 to 65535"),
    (["serve", "--memory", "1K"], "from 64K on"),
    (["serve", "--memory", "lots"], "such as 512K, 64M or 1G"),
    (["serve", "--memory", "1MB"], "such as 512K, 64M or 1G"),
    (["serve", "--memory", "99999999999999999999"], "such as 512K, 64M or 1G"),
    (["serve", "--bind", "localhost"], "--bind takes an address"),
    (["serve", "--resource", "a"], "gives no value"),
    (["serve", "--resource", "a=1;ct=nix"], "'nix' in 'a=1;ct=nix' is no Content-Format"),
    (["serve", "--resource", "a=1;max-age=-1"], "max-age"),
    (["serve", "--resource", "a=1;max-age=4294967296"], "max-age"),
    (["serve", "--resource", "a=1;methods=get,pat"], "'pat'"),
    (["serve", "--resource", "a=1;methods=get,fetch;ct=json"], "'fetch'"),
    (["serve", "--resource", "a=1;methods=get,patch"], "give it ct=json"),
    (["serve", "--resource", "a=1;ct=text;methods=ipatch"], "give it ct=json"),
    (["serve", "--resource", "a=1;ti tle=x"], "no name of a link attribute"),
    (["serve", "--resource", 'a=1;title="x'], "is not closed"),
    (["serve", "--resource", "a%zz=1"], "no valid path"),
    (["serve", "--resource", "a=1", "--resource", "/a=2"], "is there already"),
])
def test_says_what_to_do(arguments, hint):
    assert hint in refused(*arguments)


@pytest.mark.parametrize("uri, hint", [
    ("localhost/a", "did you mean 'coap://localhost/a'?"),
    ("localhost", "did you mean 'coap://localhost'?"),
    ("192.0.2.1:5683/a?b", "did you mean 'coap://192.0.2.1:5683/a?b'?"),
    ("::1/a", "did you mean 'coap://[::1]/a'?"),
    ("fe80::1%eth0", "did you mean 'coap://[fe80::1%eth0]'?"),
    ("coap://::1/a", "did you mean 'coap://[::1]/a'?"),
    ("coap:localhost", "lacks '//'"),
    ("http://localhost/a", "did you mean 'coap://localhost/a'?"),
    ("coap+tcp://localhost/a", "another transport"),
    ("coaps://localhost/a", "coaps:// needs --psk and --identity"),
    ("COAPS://localhost/a", "coaps:// needs --psk and --identity"),
    ("coap://localhost/a#b", "fragment"),
    ("coap://localhost/a b", "%20"),
    ("coap://localhost:70000/", "no number from 1 to 65535"),
    ("coap://localhost:0/", "no number from 1 to 65535"),
    ("coap://[::1]:70000/", "no number from 1 to 65535"),
    ("coap://[::1/", "lacks the ']' behind its IPv6 address"),
    ("coap://localhost:port/", "no number from 1 to 65535"),
    ("coap:///a", "names no host"),
    ("coap://:5683/a", "names no host"),
    ("coap://", "names no host"),
    ("coap://me:secret@localhost/a", "names a user, which CoAP cannot carry; write 'coap://localhost/a'"),
    ("coap://localhost/%zz", "without two hexadecimal digits"),
    ("coap://[fe80::1%eth0]/a%2", "without two hexadecimal digits"),
    ("coap://localhost/a?b=100%", "without two hexadecimal digits"),
    ("coap://localhost/{a}", "no valid URI"),
])
@pytest.mark.parametrize("command", ["get", "discover", "ping"])
def test_says_what_is_wrong_with_a_uri(command, uri, hint):
    assert hint in refused(command, uri)


@pytest.mark.parametrize("arguments, more", [
    (["get", "--nno", URI], True), (["get", URI, "-a", "jsn"], True), (["get", URI, "--accept"], True),
    (["ping", URI, "-c", "0"], True), (["serve", "--resource", "a"], True),
    (["get", "localhost"], False), (["get", URI, "x"], False), (["put", URI], False), (["get"], False)])
def test_refers_to_help_where_an_option_is_wrong(arguments, more):
    first, *rest = refused(*arguments).splitlines()
    assert rest == ([f"'copal {arguments[0]} --help' says more"] if more else [])


def test_says_what_an_option_may_hold():
    assert "255 octets" in refused("get", URI + "x" * 256)


@pytest.mark.parametrize("command", ["get", "put", "post", "delete", "discover", "ping", "conform", "serve", "help"])
def test_every_command_has_help(command):
    for arguments in ([command, "--help"], ["help", command], [command, "-h"]):
        done = copal(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.decode().startswith(f"usage: copal {command}")


@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help_lists_every_command(arguments):
    done = copal(*arguments)
    assert done.returncode == 0
    for command in ("get", "put", "post", "delete", "discover", "ping", "conform", "serve", "help"):
        assert f"\n  {command} " in done.stdout.decode()


def test_without_a_command_help_goes_to_standard_error():
    assert refused() == copal("help").stdout.decode()


@pytest.mark.parametrize("command", [[], ["get"], ["put"], ["post"], ["delete"], ["discover"], ["ping"], ["conform"],
                                     ["serve"], ["help"]])
def test_help_fits_a_terminal(command):
    assert [line for line in copal("help", *command).stdout.decode().splitlines() if len(line) > 80] == []


def test_version():
    done = copal("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(rb"copal \d+\.\d+\.\d+\n", done.stdout)


def test_help_of_serve_prints_what_the_memory_comes_to():
    def bounds(*arguments):
        text = copal("serve", "--help", *arguments).stdout.decode()
        head, _, tail = text.partition(" KiB of memory")
        return int(head.split()[-1]), {line.split(None, 1)[1]: int(line.split()[0]) for line in tail.splitlines()[1:]}

    usual, usual_bounds = bounds()
    small, small_bounds = bounds("--memory", "1M")
    assert (usual, small) == (64 * 1024, 1024)
    assert len(usual_bounds) == 14 and all(usual_bounds.values()) and all(small_bounds.values())
    for bound in ("resources", "entries for requests with effects, against duplicates", "requests answered later"):
        assert usual_bounds[bound] > small_bounds[bound]

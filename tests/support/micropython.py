"""Interpreters with network.Coap: run to their end, or beside a test and told what to do, piece by piece."""
import ast
import signal
import subprocess
import textwrap
from contextlib import contextmanager

from support.process import ROOT, SECONDS, Program, build, environment

RUN = str(ROOT / "bindings/micropython/run.py")

# What every piece of script may use.
PRELUDE = """
import gc, micropython, sys, time
from network import Coap, WLAN

got, failed, made = [], [], []

def wait(condition):
    for _ in range(12000):
        if condition():
            return
        time.sleep(0.01)
    raise Exception("waited for nothing")

def answer(*arguments):
    got.append(arguments)

def failure(*arguments):
    failed.append(arguments)

def creation(resource):
    made.append(resource)
"""

# Reads one piece of script a line, as a literal, and runs it; a line of one \x04 ends what it printed.
AGENT = PRELUDE + """
def _serve():
    scope = globals()
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        try:
            exec(eval(line), scope)
        except BaseException as error:
            sys.print_exception(error, sys.stdout)
            print("!" + type(error).__name__)
        print("\\x04")

_serve()
"""


def micropython(sanitized=True):
    """The interpreter; with the sanitizers in copal and the binding where that build is there."""
    path = build() / "micropython-asan"
    return str(path if sanitized and path.exists() else build() / "micropython")


def run(script, *arguments, status=0, prelude=PRELUDE, heap="2M", **env):
    """Runs a script to its end; what it printed, as text, standard error after standard output."""
    command = [micropython(), "-X", f"heapsize={heap}", "-c", prelude + textwrap.dedent(script), *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                          env=environment(**env))
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == status, (done.returncode, said)
    return said


class Script(Program):
    """A script that runs beside the test; ending it again is no error."""
    status = None

    def __init__(self, *arguments, **more):
        super().__init__(micropython(), *arguments, **more)

    def end(self, number=signal.SIGTERM):
        if self.status is None:
            self.status = super().end(number)
        return self.status

    def write(self, line):
        """Gives it a line to read."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def interrupt(self):
        self.send(signal.SIGINT)


class Board(Script):
    """A script file and, after its end, a prompt at which nobody types: what it set up goes on, as on a board.
    WLAN.ifconfig tells it `address`; `prefix` is a command to run it by."""

    def __init__(self, script, address, prefix=()):
        command = [*prefix, micropython(), "-i", str(script)]
        Program.__init__(self, *command, stdin=subprocess.PIPE, env={"COPAL_WLAN_IP": address})

    def wait_for_prompt(self):
        """Waits for the script's end; returns the board."""
        self.wait_for("^Use Ctrl-D to exit")
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        self.end()
        assert status == 0 or error[0], (status, self.lines)


class Interpreter(Script):
    """An interpreter that does what it is told, one piece of script after the other."""

    def __init__(self, folder, **env):
        agent = folder / "agent.py"
        agent.write_text(AGENT)
        super().__init__("-X", "heapsize=32M", str(agent), stdin=subprocess.PIPE, env=env)

    def tell(self, script):
        self.write(repr(textwrap.dedent(script)))

    def heard(self):
        before = len(self.lines)
        self.wait_for("^\x04$")
        said = self.lines[before:-1]
        raised = [line[1:] for line in said if line.startswith("!")]
        return said, raised[0] if raised else None

    def do(self, script):
        """Runs it; the lines that it printed."""
        self.tell(script)
        said, raised = self.heard()
        assert raised is None, "\n".join(said)
        return said

    def raises(self, script):
        """Runs it; the name of the exception that ended it, or None."""
        self.tell(script)
        return self.heard()[1]

    def value(self, expression):
        """What an expression comes to: numbers, text, bytes, lists, tuples, None."""
        return ast.literal_eval(self.do(f"print(repr({expression}))")[-1])

    def wait(self, condition):
        """Waits inside the interpreter until an expression is true; callbacks run meanwhile."""
        self.do(f"wait(lambda: {condition})")

    @contextmanager
    def holding(self):
        """For a while the interpreter is busy with what lets no callback run: another one."""
        self.tell("""
            def hold(_):
                print('holding')
                sys.stdin.readline()
            micropython.schedule(hold, None)
        """)
        self.wait_for("^holding$")
        yield
        self.write("")
        assert self.heard()[1] is None, self.lines

    def __exit__(self, *error):
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        self.end()
        assert status == 0 or error[0], (status, self.lines)


class Server(Interpreter):
    """One that has called Coap.init for a port of 127.0.0.1."""

    def __init__(self, folder, port, options="", **env):
        super().__init__(folder, **env)
        self.port = port
        self.do(f"Coap.init('127.0.0.1', port={port}, {options})")


def session(interpreter, port, address="127.0.0.1"):
    """Makes the interpreter a client of that server, with handlers that collect; its session is called `session`."""
    interpreter.do(f"""
        Coap.init()
        Coap.register_response_handler(answer)
        Coap.register_error_handler(failure)
        session = Coap.new_client_session({address!r}, port={port})
    """)

"""A heap that is full: MemoryError, nothing half made, and copal goes on."""
from support.micropython import run
from support.udp import free_port

# The interpreter collects only when it is told to. A cell is a block of its own, as the smallest objects are.
SCARCITY = """
gc.disable()

def fill():
    cells = None
    for size in (6, 1):
        try:
            while True:
                cells = (cells,) if size == 1 else (cells, 0, 0, 0, 0, 0)
        except MemoryError:
            pass
    return cells

def attempt(function, spare):
    cells = fill()
    for _ in range(spare):
        cells = cells[0]
    gc.collect()
    try:
        function()
    except MemoryError:
        return False
    finally:
        cells = None
        gc.collect()
    return True
"""


def test_a_resource_for_whose_object_there_is_no_memory_is_not_made():
    said = run(SCARCITY + f"""
Coap.init("127.0.0.1", port={free_port()})
names = ["n%d" % i for i in range(60)]
failures = 0
def add():
    Coap.add_resource(names[at])
for at in range(60):
    made = attempt(add, at % 6)
    failures += not made
    assert (Coap.get_resource(names[at]) is not None) == made, at
print(failures > 0)
""", heap="64k")
    assert said == "True\n"


def test_after_calls_without_memory_all_goes_on():
    """What the calls leave of their own, the sanitizer would see."""
    port = free_port()
    said = run(SCARCITY + f"""
def begin():
    global r, s
    Coap.init("127.0.0.1", port={port})
    Coap.register_response_handler(answer)
    r = Coap.add_resource("a", value="x")
    r.callback(Coap.REQUEST_GET, True)
    s = Coap.new_client_session("127.0.0.1", port={port})

def add(): Coap.add_resource("more")
def ask(): s.send_request(1, uri_path="a", timeout=1)
def observe(): s.cancel(s.send_request(1, uri_path="a", observe=True))
def join(): Coap.new_client_session("127.0.0.1", port={port + 1})
def join_secretly(): Coap.new_client_session("127.0.0.1", psk="k", identity="i")
def look(): (r.value(), r.get_details(), Coap.get_client_sessions(), Coap.get_resource("a"))
def change(): (r.value(5), r.set_details(etag=True), r.add_attribute("b", "c d"))
def restart():
    Coap.deinit()
    Coap.init("127.0.0.1", port={port})

def goes_on():
    got.clear()
    r.value("new")
    s.send_request(1, uri_path="a", token="last")
    wait(lambda: [answer for answer in got if answer[0] == 69 and answer[3:] == (b"last", b"new")])
    got.clear()

begin()
made = failures = 0
for function in (add, ask, observe, join, join_secretly, look, change, restart):
    for spare in range(30):
        if attempt(function, spare):
            made += 1
        else:
            failures += 1
        if function is restart:
            try:
                Coap.deinit()
            except RuntimeError:
                pass  # it had no memory to begin anew
            begin()
        Coap.remove_resource("more")
    goes_on()
print(made > 30, failures > 30)
""", heap="96k")
    assert said.startswith("True True\n") and "Sanitizer" not in said, said

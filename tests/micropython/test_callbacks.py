"""Callbacks: when they come, and what they must survive. Two threads meet here, and Ctrl-C leaves by a jump."""
import signal
import subprocess

import pytest

from support import coap
from support.client import Client
from support.coap import code
from support.micropython import RUN, Interpreter, Script, session
from support.process import SECONDS
from support.udp import Answerer, free_port, piggyback


def content(request):
    return piggyback(request, "2.05", payload=b"x")


# ---- when they come


@pytest.mark.parametrize("wait", ["time.sleep(3600)", "while True: pass", "while True: time.sleep_ms(1000)",
                                  "sys.stdin.readline()", "select.poll().poll(3600000)"])
def test_a_callback_comes_while_the_script_waits_or_is_busy(interpreter, wait):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.tell(f"""
            import select
            def come(*arguments):
                print('came')
            Coap.register_response_handler(come)
            session.send_request(1)
            {wait}
        """)
        interpreter.wait_for("^came$")
        interpreter.interrupt()
        assert interpreter.heard()[1] == "KeyboardInterrupt"


def test_a_sleep_keeps_its_length_though_callbacks_interrupt_it(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def again(*arguments):
                answer(*arguments)
                if len(got) < 20:
                    session.send_request(1)
            Coap.register_response_handler(again)
            session.send_request(1)
            before = time.time_ns()
            time.sleep(0.5)
            after = time.time_ns()
        """)
        interpreter.wait("len(got) == 20")
        assert interpreter.value("after - before >= 499000000") is True


def test_a_callback_is_not_lost_while_the_schedulers_queue_is_full(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def full(_):
                for _ in range(4):
                    micropython.schedule(done.append, None)
                try:
                    micropython.schedule(done.append, None)
                except RuntimeError:
                    done.append('full')
                session.send_request(1)
                time.sleep(0.2)
            done = []
            micropython.schedule(full, None)
        """)
        interpreter.wait("got and len(done) == 5")
        assert interpreter.value("done[0]") == "full"


def test_a_callback_may_send_requests_and_change_resources(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def next(*arguments):
                got.append(arguments)
                Coap.add_resource('r/{}'.format(len(got)))
                if len(got) < 100:
                    session.send_request(1)
            Coap.register_response_handler(next)
            session.send_request(1)
        """)
        interpreter.wait("len(got) == 100")
        assert interpreter.value("Coap.get_resource('r/100').get_details()[0]") == "r/100"


def test_callbacks_come_in_the_order_of_the_answers(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("ids = [session.send_request(1) for _ in range(100)]")
        interpreter.wait("len(got) == 100")
        assert interpreter.value("[g[1] for g in got] == ids") is True


# ---- exceptions in them


def test_a_callback_that_raises_prints_its_traceback_and_the_next_ones_go_on(interpreter):
    """In the original it ended all others."""
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def bad(*arguments):
                got.append(arguments)
                raise ValueError('bad number {}'.format(len(got)))
            Coap.register_response_handler(bad)
            for _ in range(3):
                session.send_request(1)
        """)
        interpreter.wait("len(got) == 3")
        said = "\n".join(interpreter.lines)
        assert said.count("Traceback") == 3 and "ValueError: bad number 3" in said
        interpreter.do("Coap.register_response_handler(answer); session.send_request(1)")
        interpreter.wait("len(got) == 4")


@pytest.mark.parametrize("callback", ["lambda: None", "lambda *a: 1 / 0", "lambda *a: sys.exit()"])
def test_a_callback_that_fails_in_any_way_does_not_end_the_interpreter(server, client, callback):
    server.do(f"Coap.register_new_resource_handler({callback})")
    assert client.put("a", b"x").code == code("2.01")
    server.do("time.sleep(0.05); Coap.register_new_resource_handler(creation)")
    assert client.put("b", b"x").code == code("2.01")
    server.wait("made")


def test_an_exception_whose_text_cannot_be_made_ends_nothing(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            class Odd(Exception):
                def __str__(self):
                    raise self
            def bad(*arguments):
                got.append(arguments)
                raise Odd()
            Coap.register_response_handler(bad)
            session.send_request(1)
            session.send_request(1)
        """)
        interpreter.wait("len(got) == 2")


def test_want_of_memory_in_a_callback_is_an_exception_like_another(interpreter):
    with Answerer(lambda request: piggyback(request, "2.05", payload=b"x" * 1000)) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            session.send_request(1)
            def hoard(_):
                time.sleep(0.2)
                micropython.heap_lock()
            micropython.schedule(hoard, None)
            time.sleep(0.4)
            micropython.heap_unlock()
        """)
        interpreter.do("session.send_request(1)")
        interpreter.wait("got")


# ---- deinit in them, and around them


def test_deinit_in_a_callback_ends_what_waits_behind_it(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            def end(*arguments):
                got.append(arguments)
                Coap.deinit()
            Coap.register_response_handler(end)
            def hold(_):
                for _ in range(10):
                    session.send_request(1)
                time.sleep(0.3)
            micropython.schedule(hold, None)
        """)
        interpreter.wait("got")
        interpreter.do("time.sleep(0.05)")
        assert interpreter.value("len(got)") == 1
        session(interpreter, peer.port)
        interpreter.do("session.send_request(1)")
        interpreter.wait("len(got) == 2")


def test_deinit_and_init_in_a_callback_begin_anew(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do(f"""
            def restart(*arguments):
                global session
                got.append(arguments)
                Coap.deinit()
                Coap.init()
                Coap.register_response_handler(answer)
                session = Coap.new_client_session('127.0.0.1', port={peer.port})
                session.send_request(1)
            Coap.register_response_handler(restart)
            session.send_request(1)
        """)
        interpreter.wait("len(got) == 2")


def test_a_drain_that_was_scheduled_outlives_deinit(interpreter):
    with Answerer(content) as peer:
        for _ in range(10):
            session(interpreter, peer.port)
            interpreter.do("""
                def hold(_):
                    session.send_request(1)
                    time.sleep(0.05)
                    Coap.deinit()
                micropython.schedule(hold, None)
                time.sleep(0.1)
            """)
        assert interpreter.value("got") == []


def test_what_waited_before_deinit_is_not_shown_after_the_next_init(interpreter):
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.do(f"""
            def hold(_):
                global session
                for _ in range(5):
                    session.send_request(1)
                time.sleep(0.1)
                Coap.deinit()
                Coap.init()
                Coap.register_response_handler(answer)
                session = Coap.new_client_session('127.0.0.1', port={peer.port})
                made.append('anew')
            micropython.schedule(hold, None)
            wait(lambda: made)
            id = session.send_request(1)
        """)
        interpreter.wait("got")
        assert interpreter.value("[g[1] for g in got] == [id]") is True


def test_init_and_deinit_many_times_under_traffic(server):
    port = server.port
    with Client(port) as client:
        request = coap.encode(coap.Message(coap.CON, coap.GET, 1))
        for _ in range(30):
            for _ in range(20):
                try:
                    client.send(request)
                except ConnectionRefusedError:  # for a moment nobody listens
                    pass
            server.do(f"Coap.deinit(); Coap.init('127.0.0.1', port={port})")


# ---- Ctrl-C


def test_ctrl_c_ends_a_sleeping_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time\nfrom network import Coap\nCoap.init()\nprint('ready')\ntime.sleep(3600)\n")
    with Script(str(script)) as program:
        program.wait_for("ready")
        assert program.end(signal.SIGINT) == 1
        assert any("KeyboardInterrupt" in line for line in program.lines)


def test_ctrl_c_in_a_callback_ends_the_sleeping_script_that_it_interrupted(interpreter):
    """The scheduler would print it and go on."""
    with Answerer(content) as peer:
        session(interpreter, peer.port)
        interpreter.tell("""
            def busy(*arguments):
                print('in the callback')
                time.sleep(3600)
            Coap.register_response_handler(busy)
            session.send_request(1)
            time.sleep(3600)
        """)
        interpreter.wait_for("in the callback")
        interpreter.interrupt()
        assert interpreter.heard()[1] == "KeyboardInterrupt"
        interpreter.do("Coap.register_response_handler(answer); session.send_request(1)")
        interpreter.wait("got")


def test_a_keyboard_interrupt_that_nobody_could_catch_does_not_end_the_prompt():
    """Its own Ctrl-C comes another way; a callback's would find no handler."""
    with Answerer(content) as peer:
        with Script("-i", "-c", f"""
from network import Coap
def bad(*arguments):
    raise KeyboardInterrupt
def good(*arguments):
    print('still here')
Coap.init()
session = Coap.new_client_session('127.0.0.1', port={peer.port})
Coap.register_response_handler(bad)
session.send_request(1)
""", stdin=subprocess.PIPE) as program:
            program.wait_for("KeyboardInterrupt")
            program.write("Coap.register_response_handler(good)")
            program.write("session.send_request(1) and None")
            program.wait_for("still here")


def test_a_keyboard_interrupt_at_the_end_of_a_script_does_not_end_the_prompt():
    """While the sum is made MicroPython looks for nothing; when the script is over it looks once, and the callback runs. What that raises
    finds the prompt."""
    with Answerer(content) as peer:
        with Script("-i", "-c", f"""
from network import Coap
def bad(*arguments):
    raise KeyboardInterrupt
Coap.init()
session = Coap.new_client_session('127.0.0.1', port={peer.port})
Coap.register_response_handler(bad)
session.send_request(1)
sum(range(5000000))
""", stdin=subprocess.PIPE) as program:
            program.wait_for("KeyboardInterrupt")
            program.write("print('still', 'here')")
            program.wait_for("still here")


def test_a_storm_of_ctrl_c_breaks_nothing(server):
    """Each leaves the interpreter by a jump, out of whatever it is in: no lock of ours may be held then."""
    with Answerer(content) as peer:
        server.do(f"""
            Coap.register_response_handler(answer)
            session = Coap.new_client_session('127.0.0.1', port={peer.port})
            r = Coap.add_resource('a', value='x')
            r.callback(Coap.REQUEST_GET, True)
        """)
        server.tell("""
            seen = i = 0
            while seen < 300:
                try:
                    print('working')
                    while True:
                        i += 1
                        r.value(i & 255)
                        Coap.get_resource('a').get_details()
                        if i % 8 == 0:
                            session.cancel(session.send_request(1))
                        elif i % 8 == 1 and len(got) < 1000:
                            session.send_request(1)
                except (KeyboardInterrupt, OSError) as error:
                    if type(error) is KeyboardInterrupt:
                        seen += 1
        """)
        with Client(server.port) as client:
            for _ in range(300):
                server.wait_for("^working$")
                assert client.get("a").code == code("2.05")
                server.interrupt()
        assert server.heard()[1] is None, server.lines
        server.do("before = len(got); session.cancel(0); session.send_request(1)")
        server.wait("len(got) > before")


# ---- memory and threads


def test_collecting_garbage_while_events_arrive_loses_nothing(interpreter):
    with Answerer(lambda request: piggyback(request, "2.05", payload=request.payload)) as peer:
        session(interpreter, peer.port)
        interpreter.do("""
            for i in range(300):
                session.send_request(Coap.REQUEST_FETCH, payload='payload {}'.format(i))
                if i % 3 == 0:
                    gc.collect()
            wait(lambda: len(got) == 300)
        """)
        assert interpreter.value("[g[4] for g in got] == [b'payload %d' % i for i in range(300)]") is True


def test_objects_of_the_binding_live_while_only_it_holds_them(server, client):
    server.do("""
        def add():
            Coap.add_resource('a', value='kept').callback(Coap.REQUEST_GET, True)
            Coap.new_client_session('127.0.0.1')
            Coap.register_new_resource_handler(lambda resource: made.append(resource))
        add()
        for _ in range(20):
            gc.collect()
            junk = [bytearray(1000) for _ in range(200)]
    """)
    assert client.get("a").payload == b"kept"
    client.put("b", b"x")
    server.wait("made")
    assert server.value("Coap.get_client_sessions()[0].get_details()[0]") == "127.0.0.1"
    assert server.value("Coap.get_resource('a').value()") == b"kept"


def test_init_from_a_thread_still_calls_back_on_the_main_one(interpreter):
    with Answerer(content) as peer:
        interpreter.do(f"""
            import _thread
            def begin():
                Coap.init()
                Coap.register_response_handler(come)
                Coap.new_client_session('127.0.0.1', port={peer.port}).send_request(1)
            def come(*arguments):
                got.append(_thread.get_ident() == main)
            main = _thread.get_ident()
            _thread.start_new_thread(begin, ())
        """)
        interpreter.wait("got")
        assert interpreter.value("got") == [True]


def test_garbage_collected_by_another_thread_meets_no_lock(server, client):
    server.do("""
        import _thread
        r = Coap.add_resource('a')
        r.callback(Coap.REQUEST_GET | Coap.REQUEST_PUT, True)
        stop = False
        def collect():
            while not stop:
                gc.collect()
        _thread.start_new_thread(collect, ())
        for i in range(2000):
            r.value(i & 255)
        stop = True
    """)
    assert client.get("a").payload == bytes([1999 & 255])


# ---- after the script's end


def test_a_script_goes_on_serving_after_its_end(tmp_path):
    port = free_port()
    script = tmp_path / "script.py"
    script.write_text(f"import sys\nfrom network import Coap\nCoap.init('127.0.0.1', port={port})\n"
                      "Coap.add_resource('a', value='x').callback(Coap.REQUEST_GET, True)\n"
                      "print('ready', __name__, sys.argv[1:], __file__ == sys.argv[0])\n")
    with Script(RUN, str(script), "one", "two") as program, Client(port) as client:
        program.wait_for(r"^ready __main__ \['one', 'two'\] True$")
        assert client.get("a").payload == b"x"
        assert program.end(signal.SIGINT) == 0
        assert program.lines[1:] == []


def test_run_shows_the_traceback_of_a_script_that_fails(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("from network import Coap\nCoap.init()\n1 / 0\n")
    with Script(RUN, str(script)) as program:
        program.wait_for("ZeroDivisionError")
        assert program.process.wait(SECONDS) == 1
        assert any(f'File "{script}", line 3' in line for line in program.lines)


def test_nothing_leaks_over_many_inits(tmp_path):
    no_quarantine = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"  # where freed memory is not used again
    with Interpreter(tmp_path, ASAN_OPTIONS=no_quarantine) as interpreter, Answerer(content) as peer:
        interpreter.do(f"""
            def size():
                with open('/proc/self/status') as file:
                    for line in file:
                        if line.startswith('VmData'):
                            return int(line.split()[1])
            def turn():
                Coap.init('127.0.0.1', port=0)
                Coap.register_response_handler(answer)
                session = Coap.new_client_session('127.0.0.1', port={peer.port})
                for _ in range(3):
                    session.send_request(1, payload='x' * 1000)
                wait(lambda: got)
                Coap.deinit()
                got.clear()
            for _ in range(20):
                turn()
            before = size()
            for _ in range(100):
                turn()
        """)
        assert interpreter.value("size() - before") < 2000

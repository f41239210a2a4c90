"""The one network.Coap of a process: its host, the thread that turns it, and the script's functions."""
from __future__ import annotations

import atexit
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from .. import _copal

if TYPE_CHECKING:
    from ._resource import CoapResource
    from ._session import CoapClientSession

Callback = Optional[Callable[..., object]]

BODY_MOST = 1 << 20  # octets of a payload; a server that never ends shall not fill the memory


class State:
    """What init() makes and deinit() ends. What is of an earlier one is of no use to a later one."""

    def __init__(self, **options: Any) -> None:
        self.host = _copal.open_host(created=self._created, body_size=BODY_MOST, first_only=True, counters=1, **options)
        self.lock = threading.Lock()  # an answer may come before its request's id is known here
        self.response_handler: Callback = None
        self.error_handler: Callback = None
        self.new_resource_handler: Callback = None
        self.resources: Dict[int, CoapResource] = {}
        self.sessions: List[CoapClientSession] = []

    def start(self) -> None:
        """The thread is a daemon, which keeps no script alive; atexit ends it before the interpreter does."""
        self.thread = threading.Thread(target=self._turn, name="network.Coap", daemon=True)
        self.thread.start()

    def _turn(self) -> None:
        while not self.host.closed:
            try:
                self.host.step(-1)
            except MemoryError:  # one thing could not be shown; the next ones are
                traceback.print_exc()
            except BaseException:
                if not self.host.closed:
                    print("network.Coap ends:", file=sys.stderr)
                    traceback.print_exc()
                break

    def flush(self) -> None:
        """Sends what is to be sent; what came meanwhile is left to the thread."""
        self.host.flush()

    def close(self) -> None:
        self.host.close()
        if threading.current_thread() is not self.thread:
            self.thread.join(1)  # a callback of the script's may be at work, which is not waited for any longer

    def show(self, callback: Callback, *arguments: object) -> None:
        """Calls a function of the script's. One that raises does not keep the others from being called."""
        if callback is not None:
            try:
                callback(*arguments)
            except BaseException:
                traceback.print_exc()

    def resource(self, handle: int) -> CoapResource:
        """The same object each time."""
        from ._resource import CoapResource

        slot = handle & 0xffffffff
        known = self.resources.get(slot)
        if known is None or known._handle != handle:
            known = CoapResource._make(self, handle)
            self.resources[slot] = known
        return known

    def _created(self, handle: int) -> None:
        if self.new_resource_handler is not None:
            self.show(self.new_resource_handler, self.resource(handle))


_current: Optional[State] = None


def current() -> Optional[State]:
    return _current


def required() -> State:
    if _current is None:
        raise RuntimeError("Coap.init() comes first")
    return _current


def begin(state: State) -> None:
    global _current
    _current = state


def end() -> None:
    global _current
    state, _current = _current, None
    if state is not None:
        state.close()


atexit.register(end)

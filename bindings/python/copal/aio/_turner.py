"""Turns a host from an asyncio loop."""
from __future__ import annotations

import asyncio
import threading
from typing import FrozenSet, Optional

from .. import _copal


class Turner:
    """Watches the descriptors of a host, which come and go, and keeps one timer for what is due."""

    def __init__(self, host: _copal.Host) -> None:
        self.loop = asyncio.get_running_loop()
        self._host = host
        self._watched: FrozenSet[int] = frozenset()
        self._timer: Optional[asyncio.TimerHandle] = None
        self._kicked = False
        self._thread = threading.get_ident()
        self._watch()

    def kick(self) -> None:
        """Something is to leave: after what the loop has to do now, so that what is asked at once leaves together."""
        if threading.get_ident() != self._thread:
            self.loop.call_soon_threadsafe(self._turn)
        elif not self._kicked:
            self.loop.call_soon(self._turn)
            self._kicked = True

    def _turn(self) -> None:
        self._kicked = False
        if self._host.closed:
            return
        try:
            if self._host.step(0):
                self.kick()
        finally:  # whatever a callback raised
            if not self._host.closed:
                self._watch()
                self._arm()

    def _watch(self) -> None:
        wanted = frozenset(self._host.descriptors())
        if wanted != self._watched:
            for descriptor in self._watched - wanted:
                self.loop.remove_reader(descriptor)
            for descriptor in wanted - self._watched:
                self.loop.add_reader(descriptor, self._turn)
            self._watched = wanted

    def _arm(self) -> None:
        """A timer that is too early does no harm and costs less than another one."""
        timeout = self._host.timeout()
        if timeout == 0:
            self.kick()
        elif timeout > 0:
            due = self.loop.time() + timeout / 1000
            if self._timer is None or due < self._timer.when():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self.loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._turn()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.loop.is_closed():
            for descriptor in self._watched:
                self.loop.remove_reader(descriptor)
        self._watched = frozenset()
        self._host.close()

"""psk, and the hint or identity that goes with it."""
from __future__ import annotations

from typing import Optional

from .. import _copal
from ..errors import CopalError
from ._values import Octets, octets, translate


class Psk:
    """The credentials of the server, or of a session."""

    def __init__(self, server: bool, key: bytes, name: bytes) -> None:
        if not 1 <= len(key) <= 64:
            raise ValueError("psk must have 1 to 64 octets")
        if server and len(name) > 128:
            raise ValueError("hint must have 0 to 128 octets")
        if not server and not 1 <= len(name) <= 128:
            raise ValueError("identity must have 1 to 128 octets")
        try:
            self.credentials = _copal.open_credentials(True, key=key, hint=name) if server else \
                _copal.open_credentials(False, key=key, identity=name)
        except CopalError as error:
            translate(error)

    @classmethod
    def of(cls, server: bool, key: Optional[Octets], name: Optional[Octets]) -> Optional[Psk]:
        if (key is None) != (name is None):
            raise ValueError("psk and its hint or identity go together")
        return None if key is None or name is None else cls(server, octets(key), octets(name))

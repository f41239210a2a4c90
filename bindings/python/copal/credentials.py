"""Keys and certificates, for coaps (RFC 7252 section 9)."""
from __future__ import annotations

import functools
import os
from typing import Any, Mapping, Optional, Union

from . import _copal
from .message import Octets, octets

Path = Union[str, "os.PathLike[str]"]


def _path(path: Optional[Path]) -> Optional[str]:
    return None if path is None else os.fspath(path)


class Credentials:
    """A client's: who we are, and whom we believe. Either a pre-shared `key` with its `identity`, or files (PEM): `authorities`
    are believed (without, those that the system believes), `certificate` and `private_key` are our own, for servers that
    want to know. A session that they have with a server is used by all requests that are made with the same object."""

    def __init__(self, *, key: Optional[Octets] = None, identity: Optional[Octets] = None,
                 authorities: Optional[Path] = None, certificate: Optional[Path] = None,
                 private_key: Optional[Path] = None) -> None:
        self.opened = _copal.open_credentials(
            False, key=octets(key or b""), identity=octets(identity or b""), authorities=_path(authorities),
            certificate=_path(certificate), private_key=_path(private_key))


class ServerCredentials:
    """A server's: `keys` by identity, or one `key` for all, and a `hint` which of theirs clients are to take; or its
    `certificate` and `private_key`; or both. With `authorities` clients have to show a certificate of one of them."""

    def __init__(self, *, key: Optional[Octets] = None, keys: Optional[Mapping[Octets, Octets]] = None,
                 hint: Optional[Octets] = None, certificate: Optional[Path] = None, private_key: Optional[Path] = None,
                 authorities: Optional[Path] = None) -> None:
        more: Any = {} if keys is None else {"keys": tuple((octets(name), octets(each)) for name, each in keys.items())}
        self.opened = _copal.open_credentials(
            True, key=octets(key or b""), hint=octets(hint or b""), certificate=_path(certificate),
            private_key=_path(private_key), authorities=_path(authorities), **more)


@functools.lru_cache(None)
def default_credentials() -> Credentials:
    """Those of whoever says none: the authorities of the system are believed, as everywhere."""
    return Credentials()

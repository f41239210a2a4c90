"""The exceptions of copal. All that a peer or the network does wrong is a CopalError; what this machine refuses, such as a port
that is taken, is an OSError as everywhere."""
from __future__ import annotations

from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .codes import Code
    from .message import Response


class CopalError(Exception):
    """The base of them all."""


class Timeout(CopalError, TimeoutError):
    """The peer did not acknowledge or answer in time."""


class Reset(CopalError, ConnectionResetError):
    """The peer answered with Reset: it knows nothing of what it was sent."""


class Unreachable(CopalError, ConnectionError):
    """The network says that the peer cannot be reached, as where nothing listens on its port."""


class UnknownHost(CopalError, OSError):
    """The host's name has no address."""


class BadResponse(CopalError):
    """What came is no response: a critical option that is not understood, or blocks that do not fit together."""


class Changed(CopalError):
    """The state changed while its body came piece by piece, after the first had been handed out."""


class TooLarge(CopalError):
    """A message or a value does not fit."""


class Full(CopalError):
    """A bound is reached, such as that of the requests that may be open at once."""


class Gone(CopalError):
    """What was meant is no more: a resource that was removed, a request whose client does not wait any longer."""


class Exists(CopalError):
    """There is one already: a resource with that path, an open request with that token."""


class NotFound(CopalError):
    """There is no such thing."""


class BadUri(CopalError, ValueError):
    """No valid coap or coaps URI."""


class InvalidArgument(CopalError, ValueError):
    """An argument outside of its range."""


class Unsupported(CopalError):
    """This build cannot do that."""


class Closed(CopalError, ConnectionError):
    """The peer closed the DTLS session."""


class HandshakeFailed(CopalError, ConnectionError):
    """The DTLS handshake failed: a wrong key, or nothing in common."""


class BadCertificate(CopalError):
    """A certificate that cannot be used, or that is not to be trusted."""


class ResponseError(CopalError):
    """An answer that is an error (4.xx or 5.xx). A handler that raises it answers so; a client gets it from
    Response.raise_for_code."""

    def __init__(self, code: Code, text: str = "", response: Optional[Response] = None) -> None:
        super().__init__(f"{code}: {text}" if text else str(code))
        self.code = code
        self.text = text
        self.response = response


class BadPayload(ResponseError, ValueError):
    """The payload of a request is not what its handler takes it for: no text, or no JSON."""

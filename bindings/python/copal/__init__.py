"""CoAP (RFC 7252) for Python.

    import copal
    print(copal.get("coap://localhost/temperature").text)

`copal.Client` and `copal.Server` are asyncio's (copal.aio); `copal.get` and its like wait; copal.pycom is `network.Coap`, the
module of Pycom's boards.
"""
from .aio import Answers, Client, Observation, Server
from .blocking import ask_group, delete, fetch, get, ipatch, observe, patch, post, put, request, stream
from .codes import Code, Option, Type
from .credentials import Credentials, ServerCredentials
from .errors import (BadCertificate, BadPayload, BadResponse, BadUri, Changed, Closed, CopalError, Exists, Full, Gone,
                     HandshakeFailed, InvalidArgument, NotFound, Reset, ResponseError, Timeout, TooLarge, UnknownHost,
                     Unreachable, Unsupported)
from .message import Options, Request, Response

__all__ = [
    "Answers", "BadCertificate", "BadPayload", "BadResponse", "BadUri", "Changed", "Client", "Closed", "Code", "CopalError", "Credentials", "Exists", "Full", "Gone",
    "HandshakeFailed", "InvalidArgument", "NotFound", "Observation", "Option", "Options", "Request", "Reset", "Response",
    "ResponseError", "Server", "ServerCredentials", "Timeout", "TooLarge", "Type", "UnknownHost", "Unreachable", "Unsupported", "ask_group", "delete",
    "fetch", "get", "ipatch", "observe", "patch", "post", "put", "request", "stream",
]

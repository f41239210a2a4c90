"""CoAP on an asyncio loop: the loop watches the sockets and calls when something is due. There is no thread."""
from .client import Answers, Client, Download, Observation
from .server import Handler, Server, Value

__all__ = ["Answers", "Client", "Download", "Handler", "Observation", "Server", "Value"]

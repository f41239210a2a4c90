"""A server whose resource changes by itself (RFC 7641), made by hand."""
from support import coap
from support.coap import Message, uint
from support.udp import Answerer, piggyback

OBSERVE, DEREGISTER = (coap.OBSERVE, b""), (coap.OBSERVE, b"\x01")


def notification(request, number, payload, *options, code="2.05", kind=coap.NON):
    """One with the Observe value `number`, which is its message ID, too."""
    return Message(kind, coap.code(code), number & 0xffff, request.token, [(coap.OBSERVE, uint(number)), *options], payload)


class Observed(Answerer):
    """A server that answers a registration with the first of `states` and sends the others behind it; a state is a payload,
    or a function of the request that makes the message."""

    def __init__(self, *states, port=0):
        super().__init__(self._answer, port=port)
        self.states, self.deregistered = states, []

    def _answer(self, message):
        if message.code == 0:
            return None
        if DEREGISTER in message.options:
            self.deregistered.append(message)
            return piggyback(message, "2.05")
        first, *rest = [state if callable(state) else self._state(state, number)
                        for number, state in enumerate(self.states)]
        return [first(message), *(state(message) for state in rest)]

    @staticmethod
    def _state(payload, number):
        if number:
            return lambda request: notification(request, number, payload)
        return lambda request: piggyback(request, "2.05", (coap.OBSERVE, b""), payload=payload)


def error(code, payload=b""):
    """A state of Observed: an error as a message of its own."""
    return lambda request: Message(coap.NON, coap.code(code), 99, request.token, [], payload)

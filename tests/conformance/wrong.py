"""Odd and wrong arguments, one call a line: what comes of it. A TypeError's text is the interpreter's own, all others are ours."""
import sys
import time

from network import Coap

port = int(sys.argv[1])


def attempt(call, *arguments, **named):
    try:
        result = call(*arguments, **named)
    except TypeError:
        result = "TypeError"
    except (ValueError, RuntimeError) as error:
        result = "{}: {}".format(type(error).__name__, error)
    except OSError as error:
        result = "OSError"
    print(result)
    return result


for name in ("deinit", "get_client_sessions"):
    attempt(getattr(Coap, name))
for name in ("add_resource", "remove_resource", "get_resource", "new_client_session", "remove_client_session"):
    attempt(getattr(Coap, name), "127.0.0.1")

print("--- init")
for address in (5, "", "nonsense..", "127.0.0.1\0", "192.0.2.1"):
    attempt(Coap.init, address, port=port)
for given in (-1, 65536, "5", 5.0):
    attempt(Coap.init, "127.0.0.1", port=given)
for psk, hint in (("x", None), (None, "x"), ("", "h"), ("k" * 65, "h"), ("k", "h" * 129), (5, "h")):
    attempt(Coap.init, "127.0.0.1", port=port, psk=psk, hint=hint)
attempt(Coap.init, None, port=None, psk=None, hint=None, service_discovery=None, dynamic_resources=None, post_creates=None)
attempt(Coap.init)
attempt(Coap.deinit)
attempt(Coap.init, b"127.0.0.1", port=port, dynamic_resources=True)

print("--- resources")
for uri in ("a", "a", "/a", b"b", 7, None, "p%20q", "p%2", "p%zz", "s" * 255, "s" * 256, "/".join(["abcdefgh"] * 200), "n\0n"):
    attempt(Coap.add_resource, uri)
    attempt(Coap.get_resource, uri)
attempt(Coap.remove_resource, "%")
attempt(Coap.remove_resource, "nothing")
r = Coap.get_resource("a")
for value in (True, False, -1, 1 << 32, 1.5, None, [], "\u00fc", bytearray(b"b"), memoryview(b"m"), b"z" * ((1 << 20) + 1)):
    attempt(r.value, value)
    attempt(r.value)
for number in (-2, True, 65535, 65536, 1 << 70, "0", 1.0):
    attempt(r.set_details, mediatype=number)
    attempt(r.set_details, max_age=number)
    attempt(r.get_details)
for mask in (0, 15, 16, 32, 128, -1, True, "x"):
    attempt(r.callback, mask, True)
for name in ("", "a b", "a;b", "title*", "**", "t\u00fc", b"bytes", 5):
    attempt(r.add_attribute, name, "x")
Coap.remove_resource("a")
attempt(r.value)
attempt(r.get_details)

print("--- sessions")
for address in ("nonsense..", "", "[::1]", 5, None):
    attempt(Coap.new_client_session, address)
for given in (0, 65536, 5684, "x", True):
    session = attempt(Coap.new_client_session, "127.0.0.1", port=given)
attempt(session.get_details)
for psk, identity, given in (("k", None, None), (None, "i", None), ("k", "i", 5683), ("", "i", None), ("k", "", None)):
    attempt(Coap.new_client_session, "127.0.0.1", psk=psk, identity=identity, port=given)
attempt(Coap.remove_client_session, "127.0.0.5")
for protocol in (0, 3, "x"):
    attempt(Coap.remove_client_session, "127.0.0.1", 9, protocol)

print("--- requests")
for method in (0, 3, 128, -1, "GET"):
    attempt(session.send_request, method)
for path in ("%6", "s" * 256, "/".join(["abcdefgh"] * 300), 4):
    attempt(session.send_request, 1, uri_path=path)
for named in ({"token": b"123456789"}, {"etag": b""}, {"accept": 65536}, {"content_format": -2}, {"timeout": 0},
              {"timeout": float("nan")}, {"timeout": "x"}, {"payload": 5}, {"observe": True, "include_options": False},
              {"payload": b"z" * 5000, "include_options": False}):
    attempt(session.send_request, 1, **named)
group = Coap.new_client_session("224.0.1.187%lo")
attempt(group.send_request, 1, observe=True)
attempt(group.send_request, 1, etag=b"e")
group.cancel(group.send_request(1))  # a token is drawn
for id in (-1, 65536, "x"):
    attempt(session.cancel, id)

print("--- what is observed has a token, which the error handler is told")
failures = []
Coap.register_error_handler(lambda *arguments: failures.append(arguments))
for token in (None, b"", b"mine"):
    session.send_request(1, token=token, observe=True, timeout=0.01, confirmable=False)
for _ in range(6000):
    if len(failures) == 3:
        break
    time.sleep(0.01)
print(sorted(len(token) for _, token, _ in failures))
Coap.deinit()
print("--- the end")

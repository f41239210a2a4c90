# One script for MicroPython and CPython, whose output must be the same: network.Coap as the manual and its tests know it.
# Usage: script.py PORT
import sys
import time

from network import WLAN, Coap

PORT = int(sys.argv[1])
got, failed, made = [], [], []


def wait(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    print("waited for nothing")


def attempt(what, function, *arguments, **named):
    try:
        print(what, function(*arguments, **named))
    except Exception as error:
        print(what, type(error).__name__)


def answered(code, id_param, type_param, token, payload):
    got.append((id_param, code, type_param, token, payload if len(payload) < 1000 else len(payload)))


def refused(id_param, token, reason):
    failed.append((id_param, token, reason))


def created(resource):
    made.append(resource)


def ask(method, **options):
    id = session.send_request(method, **options)
    wait(lambda: any(each[0] == id for each in got + failed))
    for each in got:
        if each[0] == id:
            print(each[1:])
    for each in failed:
        if each[0] == id:
            print("failed", each[1:])
    del got[:], failed[:]


def begin(port, **options):
    Coap.init("127.0.0.1", port=port, dynamic_resources=True, post_creates=True, **options)
    Coap.register_response_handler(answered)
    Coap.register_error_handler(refused)
    Coap.register_new_resource_handler(created)


print("--- before init")
attempt("get_resource", Coap.get_resource, "a")
attempt("deinit", Coap.deinit)
attempt("bad port", Coap.init, "127.0.0.1", port=70000)
attempt("no address", Coap.init, "nonsense")
attempt("psk alone", Coap.init, "127.0.0.1", psk="secret")
attempt("long psk", Coap.init, "127.0.0.1", psk="x" * 65, hint="h")

print("--- constants")
for name in ("REQUEST_GET REQUEST_POST REQUEST_PUT REQUEST_DELETE REQUEST_FETCH REQUEST_PATCH REQUEST_IPATCH PROTOCOL_UDP "
             "PROTOCOL_DTLS MEDIATYPE_TEXT_PLAIN MEDIATYPE_APP_LINK_FORMAT MEDIATYPE_APP_XML MEDIATYPE_APP_OCTET_STREAM "
             "MEDIATYPE_APP_RDF_XML MEDIATYPE_APP_EXI MEDIATYPE_APP_JSON MEDIATYPE_APP_CBOR").split():
    print(name, getattr(Coap, name))
print(WLAN.STA, WLAN.AP, WLAN.STA_AP, WLAN.WEP, WLAN.WPA, WLAN.WPA2, WLAN(mode=WLAN.STA).isconnected())
print(WLAN().connect("a", auth=(WLAN.WPA2, "b")), WLAN(mode=WLAN.STA).ifconfig()[0])

print("--- resources")
begin(PORT)
attempt("init again", Coap.init)
r = Coap.add_resource("a/b", media_type=Coap.MEDIATYPE_APP_JSON, max_age=7, value="{}", etag=True)
print(type(r).__name__, r.get_details(), r.value(), Coap.get_resource("/a/b") is r, Coap.get_resource("b"))
attempt("again", Coap.add_resource, "a/b")
for value in ("grün", b"x", bytearray(b"y"), memoryview(b"z"), 0, 255, 256, 65536, 4294967295, -1, 4294967296, 1.5, None, []):
    attempt("value", r.value, value)
    print(r.value(), r.get_details()[4])
attempt("mediatype", r.set_details, mediatype=65536)
attempt("max_age", r.set_details, max_age=4294967296)
attempt("set", r.set_details, max_age=9, etag=False)
print(r.get_details())
attempt("add_attribute", r.add_attribute, "title", "a b")
attempt("bad name", r.add_attribute, "a b", "c")
attempt("callback", r.callback, Coap.REQUEST_GET | Coap.REQUEST_PUT | Coap.REQUEST_POST | Coap.REQUEST_DELETE, True)
attempt("fetch", r.callback, Coap.REQUEST_FETCH, True)
attempt("patch", r.callback, Coap.REQUEST_PATCH, True)
attempt("unknown bit", r.callback, 128, True)
attempt("constructed", type(r))

print("--- sessions")
session = Coap.new_client_session("127.0.0.1", port=PORT)
print(type(session).__name__, session.get_details(), Coap.get_client_sessions() == [session])
attempt("no host", Coap.new_client_session, "nowhere.invalid")
attempt("5684 without psk", Coap.new_client_session, "127.0.0.1", port=5684)
attempt("5683 with psk", Coap.new_client_session, "127.0.0.1", port=5683, psk="k", identity="i")
attempt("no such session", Coap.remove_client_session, "127.0.0.9")
for arguments in ((), (0,), (3,), ("GET",), (None,)):
    attempt("method", session.send_request, *arguments)
for options in ({"token": "123456789"}, {"payload": 5}, {"uri_path": "%zz"}, {"content_format": 65536}, {"timeout": 0},
                {"etag": b""}, {"observe": True, "include_options": False}):
    attempt("options", session.send_request, Coap.REQUEST_GET, **options)

print("--- requests")
ask(Coap.REQUEST_GET, uri_path="a/b")
ask(Coap.REQUEST_GET, uri_path="a/b", token="tok")
ask(Coap.REQUEST_GET, uri_path="a/b", confirmable=False, token=b"\0")
ask(Coap.REQUEST_GET, uri_path="a/b", accept=60)
ask(Coap.REQUEST_PATCH, uri_path="a/b", payload='{"c":[1]}', content_format=52)
r.value("{}")
ask(Coap.REQUEST_PATCH, uri_path="a/b", payload='{"c":[1]}', content_format=52)
print(r.value())
ask(Coap.REQUEST_PUT, uri_path="a/b", payload="new", content_format=Coap.MEDIATYPE_TEXT_PLAIN)
print(r.value(), r.get_details())
ask(Coap.REQUEST_PUT, uri_path="made/by/put", payload="x" * 3000)
wait(lambda: made)
print(made[0].get_details(), len(made[0].value()), made[0] is Coap.get_resource("made/by/put"))
ask(Coap.REQUEST_GET, uri_path="made/by/put")
ask(Coap.REQUEST_GET, uri_path=".well-known/core")
ask(Coap.REQUEST_DELETE, uri_path="a/b")
for function in (r.value, r.get_details, r.set_details):
    attempt("removed", function)
ask(Coap.REQUEST_GET, uri_path="a/b", include_options=False)

print("--- observing")
s = Coap.add_resource("state", value="0")
s.callback(Coap.REQUEST_GET, True)
id = session.send_request(Coap.REQUEST_GET, uri_path="state", observe=True, token="o")
for value in ("1", "2", "3"):
    wait(lambda: got)
    print(got.pop()[1:] if value == "1" else got.pop()[3:], value)
    s.value(value)
wait(lambda: got)
Coap.remove_resource("state")
wait(lambda: got[-1][1] == 132)
print(got[-1][0] == id, got[-1][1], got[-1][3])
del got[:]

print("--- failures")
other = Coap.new_client_session("127.0.0.1", port=1)
id = other.send_request(Coap.REQUEST_GET, token="t")
wait(lambda: failed)
print(failed[0][0] == id, failed[0][1:])
del failed[:]
Coap.remove_client_session("127.0.0.1", port=1)
attempt("removed session", other.send_request, Coap.REQUEST_GET)
print(len(Coap.get_client_sessions()))
attempt("handler", Coap.register_response_handler, 5)
Coap.deinit()
attempt("after deinit", session.send_request, Coap.REQUEST_GET)
attempt("after deinit", made[0].value)

print("--- DTLS")
del got[:], made[:]
begin(PORT, psk=b"se\0cret", hint="hint")
Coap.add_resource("secret", value="told").callback(Coap.REQUEST_GET, True)
session = Coap.new_client_session("127.0.0.1", port=PORT, psk=b"se\0cret", identity="me")
print(session.get_details()[2], Coap.PROTOCOL_DTLS)
ask(Coap.REQUEST_GET, uri_path="secret")
ask(Coap.REQUEST_PUT, uri_path="made", payload="x" * 2000)
ask(Coap.REQUEST_GET, uri_path="made", token="t")
s = Coap.get_resource("secret")
id = session.send_request(Coap.REQUEST_GET, uri_path="secret", observe=True)
wait(lambda: got)
s.value("anew")
wait(lambda: len(got) > 1)
print([(each[1], each[4]) for each in got])
session.cancel(id)
Coap.remove_client_session("127.0.0.1", PORT, Coap.PROTOCOL_DTLS)
Coap.deinit()
print("--- the end")

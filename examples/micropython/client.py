# A CoAP client: asks a server what it has, reads a resource, and changes it.
#   micropython client.py SERVER-ADDRESS
import sys
import time

from network import WLAN
from network import Coap

wlan = WLAN(mode=WLAN.STA)
wlan.connect("my-network", auth=(WLAN.WPA2, "my-key"))

waiting = {}  # what was asked, by the number that pairs it with its answer


def answered(code, id_param, type_param, token, payload):
    # A code's class and detail: 69 is 2.05, Content.
    print("{}: {}.{:02d} {}".format(waiting.pop(id_param), code >> 5, code & 31, payload.decode()))


def failed(id_param, token, reason):
    print("{}: no answer, {}".format(waiting.pop(id_param), reason))


def ask(what, method, **options):
    waiting[session.send_request(method, **options)] = what


# No address: we only ask, and serve nothing.
Coap.init()
Coap.register_response_handler(answered)
Coap.register_error_handler(failed)
session = Coap.new_client_session(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1")

ask("everything", Coap.REQUEST_GET, uri_path=".well-known/core")
ask("before", Coap.REQUEST_GET, uri_path="resource1", token="a token")
ask("change", Coap.REQUEST_PUT, uri_path="resource1", payload="a second value",
    content_format=Coap.MEDIATYPE_TEXT_PLAIN)
ask("after", Coap.REQUEST_GET, uri_path="resource1")

while waiting:
    time.sleep(0.01)
Coap.deinit()

# A CoAP server: one resource of its own, and new ones for whoever PUTs them.
from network import WLAN
from network import Coap

# Join the network (on a computer this always succeeds; on a board, fill in name and key).
wlan = WLAN(mode=WLAN.STA)
wlan.connect("my-network", auth=(WLAN.WPA2, "my-key"))

# Serve at the address that the network gave us. A PUT to a path that is not there yet creates a resource.
address = wlan.ifconfig()[0]
Coap.init(address, dynamic_resources=True)


def created(resource):
    uri = resource.get_details()[0]
    print("somebody made /{} with {}".format(uri, resource.value()))


Coap.register_new_resource_handler(created)

# No method is allowed on a resource until callback() says so.
resource = Coap.add_resource("resource1", media_type=Coap.MEDIATYPE_TEXT_PLAIN, value="a first value", etag=True)
resource.add_attribute("title", "an example")
resource.callback(Coap.REQUEST_GET | Coap.REQUEST_PUT | Coap.REQUEST_POST, True)

print("serving coap://{}/resource1".format(address))

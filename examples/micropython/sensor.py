# A sensor: measures every few seconds, and tells whoever observes coap://ADDRESS/temperature.
import time

from network import WLAN
from network import Coap

try:
    from machine import ADC

    def measure():
        return 27 - (ADC(4).read_u16() * 3.3 / 65535 - 0.706) / 0.001721  # the RP2040's own thermometer
except ImportError:  # on a computer

    def measure():
        return 20 + time.time() % 10


wlan = WLAN(mode=WLAN.STA)
wlan.connect("my-network", auth=(WLAN.WPA2, "my-key"))
while not wlan.isconnected():
    time.sleep(0.1)

Coap.init(wlan.ifconfig()[0])
temperature = Coap.add_resource("temperature", media_type=Coap.MEDIATYPE_TEXT_PLAIN, max_age=10)
temperature.add_attribute("rt", "temperature-c")
temperature.value("{:.1f}".format(measure()))
temperature.callback(Coap.REQUEST_GET, True)

while True:
    time.sleep(2)
    temperature.value("{:.1f}".format(measure()))

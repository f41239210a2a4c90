"""WLAN for machines whose network is there already: connecting always succeeds, and ifconfig() tells the address."""
from __future__ import annotations

import os
from typing import Tuple

from .. import _copal


class WLAN:
    """COPAL_WLAN_IP takes the place of the machine's own address."""

    STA, AP, STA_AP = 1, 2, 3
    WEP, WPA, WPA2 = 1, 2, 3

    def __init__(self, *arguments: object, **named: object) -> None:
        pass  # mode, network and key are the system's business

    def connect(self, *arguments: object, **named: object) -> None:
        """Nothing is to be done."""

    def isconnected(self) -> bool:
        return True

    def ifconfig(self) -> Tuple[str, str, str, str]:
        """(address, mask, gateway, DNS server), the last two unknown."""
        address, mask = _copal.interface()
        return os.environ.get("COPAL_WLAN_IP") or address, mask, "0.0.0.0", "0.0.0.0"

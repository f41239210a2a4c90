"""What network.Coap has, for editors and type checkers. Of WLAN it is the stand-in of the unix port."""
from typing import Callable, List, Optional, Tuple, Union, final

_Octets = Union[str, bytes, bytearray, memoryview]
_Value = Union[_Octets, int]

@final
class CoapResource:
    def add_attribute(self, name: _Octets, value: _Octets) -> None: ...
    def get_details(self) -> List[Union[str, int, bool]]: ...  # uri, mediatype, max_age, etag, value of the ETag
    def set_details(
        self, *, mediatype: Optional[int] = ..., max_age: Optional[int] = ..., etag: Optional[bool] = ...
    ) -> None: ...
    def value(self, value: _Value = ...) -> bytes: ...  # None where one is given
    def callback(self, operation: int, enable: object) -> None: ...

@final
class CoapClientSession:
    def send_request(
        self,
        method: int,
        *,
        uri_path: Optional[_Octets] = ...,
        content_format: Optional[int] = ...,
        payload: Optional[_Octets] = ...,
        token: Optional[_Octets] = ...,
        include_options: Optional[bool] = True,
        confirmable: Optional[bool] = True,
        observe: bool = False,
        accept: Optional[int] = ...,
        etag: Optional[_Octets] = ...,
        if_match: Optional[_Octets] = ...,
        if_none_match: bool = False,
        timeout: Optional[float] = ...,
    ) -> int: ...
    def cancel(self, id: int) -> None: ...
    def get_details(self) -> List[Union[str, int]]: ...  # address, port, protocol

@final
class Coap:
    REQUEST_GET: int
    REQUEST_POST: int
    REQUEST_PUT: int
    REQUEST_DELETE: int
    REQUEST_FETCH: int
    REQUEST_PATCH: int
    REQUEST_IPATCH: int
    MEDIATYPE_TEXT_PLAIN: int
    MEDIATYPE_APP_LINK_FORMAT: int
    MEDIATYPE_APP_XML: int
    MEDIATYPE_APP_OCTET_STREAM: int
    MEDIATYPE_APP_RDF_XML: int
    MEDIATYPE_APP_EXI: int
    MEDIATYPE_APP_JSON: int
    MEDIATYPE_APP_CBOR: int
    PROTOCOL_UDP: int
    PROTOCOL_DTLS: int

    @staticmethod
    def init(
        address: Optional[str] = ...,
        *,
        port: Optional[int] = ...,
        service_discovery: bool = False,
        dynamic_resources: bool = False,
        psk: Optional[_Octets] = ...,
        hint: Optional[_Octets] = ...,
        post_creates: bool = False,
    ) -> None: ...
    @staticmethod
    def deinit() -> None: ...
    @staticmethod
    def add_resource(
        uri: str,
        *,
        media_type: Optional[int] = -1,
        max_age: Optional[int] = -1,
        value: Optional[_Value] = 0,
        etag: bool = False,
    ) -> CoapResource: ...
    @staticmethod
    def remove_resource(uri: str) -> None: ...
    @staticmethod
    def get_resource(uri: str) -> Optional[CoapResource]: ...
    @staticmethod
    def register_response_handler(
        callback: Optional[Callable[[int, int, int, bytes, bytes], object]]
    ) -> None: ...  # code, id_param, type_param, token, payload
    @staticmethod
    def register_error_handler(
        callback: Optional[Callable[[int, bytes, str], object]]
    ) -> None: ...  # id_param, token, reason
    @staticmethod
    def register_new_resource_handler(callback: Optional[Callable[[CoapResource], object]]) -> None: ...
    @staticmethod
    def new_client_session(
        address: str, *, port: Optional[int] = ..., psk: Optional[_Octets] = ..., identity: Optional[_Octets] = ...
    ) -> CoapClientSession: ...
    @staticmethod
    def remove_client_session(
        destination: str, port: Optional[int] = 5683, protocol: Optional[int] = ...
    ) -> None: ...
    @staticmethod
    def get_client_sessions() -> List[CoapClientSession]: ...

class WLAN:
    STA: int
    AP: int
    STA_AP: int
    WEP: int
    WPA: int
    WPA2: int
    def __init__(self, mode: int = ..., **more: object) -> None: ...  # what a board takes, and here means nothing
    def connect(self, ssid: str, auth: Optional[Tuple[int, str]] = ..., **more: object) -> None: ...
    def isconnected(self) -> bool: ...
    def ifconfig(self) -> Tuple[str, str, str, str]: ...

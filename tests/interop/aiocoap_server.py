"""A server made with aiocoap: aiocoap_server.py ADDRESS PORT; says `listening on` once it can be asked. Where ADDRESS is a
group, it has all addresses, and is a member."""
import asyncio
import ipaddress
import json
import socket
import sys

import aiocoap
from aiocoap import resource
from aiocoap.numbers.codes import Code

TEXT, JSON, MERGE_PATCH = 0, 50, 52


class Value(resource.ObservableResource):
    """A value that all four methods act upon, with an ETag, preconditions and observers."""

    def __init__(self, value, max_age=None):
        super().__init__()
        self.value, self.version, self.max_age = value, 1, max_age
        self.ct = TEXT

    def _etag(self):
        return self.version.to_bytes(2, "big")

    def _failed(self, request):
        exists, wanted = self.value is not None, request.opt.if_match
        return bool(exists and request.opt.if_none_match or wanted and not (
            exists and any(etag in (b"", self._etag()) for etag in wanted)))

    async def _change(self, request, value, code):
        if self._failed(request):
            return aiocoap.Message(code=Code.PRECONDITION_FAILED)
        self.value, self.version = value, self.version + 1
        self.updated_state()
        return aiocoap.Message(code=code)

    async def render_get(self, request):
        if self.value is None:
            return aiocoap.Message(code=Code.NOT_FOUND)
        if self._etag() in request.opt.etags:
            return aiocoap.Message(code=Code.VALID, etag=self._etag())
        return aiocoap.Message(code=Code.CONTENT, payload=self.value, content_format=TEXT, etag=self._etag(),
                               max_age=self.max_age)

    async def render_put(self, request):
        created = self.value is None
        return await self._change(request, request.payload, Code.CREATED if created else Code.CHANGED)

    async def render_post(self, request):
        return await self._change(request, request.payload, Code.CHANGED)

    async def render_delete(self, request):
        return await self._change(request, None, Code.DELETED)


class Document(resource.Resource):
    """A JSON object: a FETCH names one of its members, PATCH and iPATCH merge (RFC 7396) what is flat."""

    def __init__(self):
        super().__init__()
        self.document = {"a": 1, "b": 2}

    async def render_get(self, request):
        return aiocoap.Message(payload=json.dumps(self.document).encode(), content_format=JSON)

    async def render_fetch(self, request):
        return aiocoap.Message(code=Code.CONTENT, payload=json.dumps(self.document[request.payload.decode()]).encode())

    async def render_patch(self, request):
        if request.opt.content_format != MERGE_PATCH:
            return aiocoap.Message(code=Code.UNSUPPORTED_CONTENT_FORMAT)
        merged = self.document | json.loads(request.payload)
        self.document = {name: value for name, value in merged.items() if value is not None}
        return aiocoap.Message(code=Code.CHANGED)

    render_ipatch = render_patch


class Slow(resource.Resource):
    """Answers after its empty acknowledgement has left (EMPTY_ACK_DELAY is 0.1 s)."""

    async def render_get(self, request):
        await asyncio.sleep(0.5)
        return aiocoap.Message(payload=b"that took a while", content_format=TEXT)


class Count(resource.Resource):
    """Counts how often POST was executed."""

    count = 0

    async def render_get(self, request):
        return aiocoap.Message(payload=str(self.count).encode())

    async def render_post(self, request):
        self.count += 1
        return aiocoap.Message(code=Code.CHANGED)


async def main(address, port):
    site = resource.Site()
    site.add_resource([".well-known", "core"], resource.WKCResource(site.get_resources_as_linkheader, impl_info=None))
    site.add_resource(["test"], Value(b"21.5"))
    site.add_resource(["validate"], Value(b"state"))
    site.add_resource(["large"], Value(b"0123456789" * 300))
    site.add_resource(["made"], Value(None))
    site.add_resource(["gone"], Value(b"x"))
    site.add_resource(["brief"], Value(b"1", max_age=1))
    site.add_resource(["big"], Value(None))
    site.add_resource(["v"], Value(b"01234567890123456789"))  # of the measurements
    site.add_resource(["document"], Document())
    site.add_resource(["slow"], Slow())
    site.add_resource(["count"], Count())
    member = ipaddress.ip_address(address).is_multicast
    groups = [(address, interface) for _, interface in socket.if_nameindex()] if member else []
    await aiocoap.Context.create_server_context(site, bind=("::" if member else address, int(port)), multicast=groups)
    print("listening on", port, flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main(*sys.argv[1:]))

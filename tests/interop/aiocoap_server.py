"""A server made with aiocoap: aiocoap_server.py ADDRESS PORT; says `listening on` once it can be asked."""
import asyncio
import sys

import aiocoap
from aiocoap import resource
from aiocoap.numbers.codes import Code

TEXT = 0


class Value(resource.Resource):
    """A value that all four methods act upon, with an ETag and preconditions."""

    def __init__(self, value):
        super().__init__()
        self.value, self.version = value, 1
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
        return aiocoap.Message(code=code)

    async def render_get(self, request):
        if self.value is None:
            return aiocoap.Message(code=Code.NOT_FOUND)
        if self._etag() in request.opt.etags:
            return aiocoap.Message(code=Code.VALID, etag=self._etag())
        return aiocoap.Message(code=Code.CONTENT, payload=self.value, content_format=TEXT, etag=self._etag())

    async def render_put(self, request):
        created = self.value is None
        return await self._change(request, request.payload, Code.CREATED if created else Code.CHANGED)

    async def render_post(self, request):
        return await self._change(request, request.payload, Code.CHANGED)

    async def render_delete(self, request):
        return await self._change(request, None, Code.DELETED)


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
    site.add_resource(["slow"], Slow())
    site.add_resource(["count"], Count())
    await aiocoap.Context.create_server_context(site, bind=(address, int(port)))
    print("listening on", port, flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main(*sys.argv[1:]))

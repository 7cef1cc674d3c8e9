# SPDX-License-Identifier: MIT
"""Flowrra's dashboard inside an ASGI application (FastAPI, Starlette, Quart,
Django). The application's own login stays the gate:

    app.mount("/flowrra", FlowrraWeb(user=lambda scope: scope["user"].username))

Needs httpx. `user` returns the name of who is logged in, or None: then the
answer is 403. flowrra.conf says, for the system user of the application:

    [web]
    prefix = /flowrra
    proxies = unix:USER
    user_header = X-Remote-User
"""
import asyncio

import httpx

# Of one connection only (RFC 9110, section 7.6.1).
HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer",
       b"transfer-encoding", b"upgrade"}

# What the application has looked at, and what a client could make up.
OWN = {b"authorization", b"cookie", b"forwarded", b"x-forwarded-for"}


class FlowrraWeb:
    def __init__(self, user, socket="/run/flowrra/web.sock",
                 header="X-Remote-User"):
        self.user, self.header = user, header.lower().encode()
        # No client around it: that would keep cookies of one user for all.
        self.transport = httpx.AsyncHTTPTransport(
            uds=socket, limits=httpx.Limits(max_connections=None,
                                            max_keepalive_connections=8))

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":  # the pages need none
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return
        name = self.user(scope)
        if not name:
            return await self.plain(send, 403, b"log in first\n")
        # What a browser claims to be counts for nothing.
        drop = HOP | OWN | {self.header}
        headers = [(k, v) for k, v in scope["headers"] if k not in drop]
        headers.append((self.header, str(name).encode()))
        if scope.get("client"):
            headers.append((b"x-forwarded-for", scope["client"][0].encode()))
        path = (scope.get("raw_path") or scope["path"].encode()).split(b"?")[0]
        if scope["query_string"]:
            path += b"?" + scope["query_string"]
        has_body = any(k == b"content-length" for k, v in headers)
        request = httpx.Request(
            scope["method"], httpx.URL("http://localhost", raw_path=path),
            headers=headers, content=self.body(receive) if has_body else None,
            # An event stream may be silent for long.
            extensions={"timeout": {"connect": 10, "write": 30, "read": None}})
        try:
            answer = await self.transport.handle_async_request(request)
        except httpx.TransportError:
            return await self.plain(send, 502, b"flowrra-web does not answer\n")
        # A stream ends when either side does.
        copy = asyncio.ensure_future(self.copy(answer, send))
        gone = asyncio.ensure_future(self.gone(receive))
        try:
            await asyncio.wait({copy, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (copy, gone):
                task.cancel()
            await asyncio.gather(copy, gone, return_exceptions=True)
            await answer.aclose()

    @staticmethod
    async def plain(send, status, text):
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": text})

    @staticmethod
    async def copy(answer, send):
        await send({"type": "http.response.start", "status": answer.status_code,
                    "headers": [(k.lower(), v) for k, v in answer.headers.raw
                                if k.lower() not in HOP]})
        async for part in answer.aiter_raw():
            await send({"type": "http.response.body", "body": part,
                        "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    @staticmethod
    async def gone(receive):
        while (await receive())["type"] != "http.disconnect":
            pass

    @staticmethod
    async def body(receive):
        while True:
            message = await receive()
            yield message.get("body", b"")
            if not message.get("more_body"):
                return

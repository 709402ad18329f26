# SPDX-License-Identifier: MIT
"""
http_python.py - what asyncio and aiohttp make of each job, with uvloop or without; see ../jobs.py

usage: http_python.py asyncio|uvloop PORT JOB BODY
"""

import asyncio
import json
import sys

from aiohttp import web

LOOP, PORT, JOB, BODY = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=BODY, content_type="text/html")


async def timers(request: web.Request) -> web.Response:
    await asyncio.sleep(0.01)
    return web.Response(text=BODY, content_type="text/html")


async def json_page(request: web.Request) -> web.Response:
    return web.json_response({"message": "Hello, World!"}, dumps=json.dumps)


async def upload(request: web.Request) -> web.Response:
    total = 0
    async for piece in request.content.iter_any():
        total += len(piece)
    return web.Response(text=str(total))


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def make_app() -> web.Application:
    app = web.Application()
    app.add_routes([
        web.get("/hello/{name}", timers if JOB == "timers" else hello),
        web.get("/json", json_page),
        web.post("/upload", upload),
    ])
    return app


async def serve() -> None:
    if JOB == "echo":
        server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", PORT, backlog=4096)
        await server.serve_forever()
    runner = web.AppRunner(make_app(), access_log=None, keepalive_timeout=600)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PORT, backlog=4096).start()
    await asyncio.Event().wait()


if LOOP == "uvloop":
    import uvloop

    uvloop.install()
asyncio.run(serve())

# SPDX-License-Identifier: MIT
"""
jobs - what a server is to do, and how to see that it does it

A job is one program, or one configuration of it: who measures JSON starts the server for that.
"""

import re
import socket

PATH = "/hello/x"
HOST = "127.0.0.1"

HELLO = "hello"  # GET PATH: a short text
TIMERS = "timers"  # the same, 10 ms later
JSON = "json"  # GET /json: an object of one member
UPLOAD = "upload"  # POST /upload: how many bytes came
ECHO = "echo"  # no HTTP: what comes goes back
JOBS = (HELLO, TIMERS, JSON, UPLOAD, ECHO)

PATHS = {HELLO: PATH, TIMERS: PATH, JSON: "/json", UPLOAD: "/upload"}
DELAY_MS = 10


class Failure(Exception):
    """A server or a generator did not do what it should: one measurement is lost."""


def check(port: int, job: str) -> int:
    """Lets a server do its job once. Returns the length of the whole answer."""
    if job == ECHO:
        return check_echo(port)
    if job == UPLOAD:
        length, body = answer(port, f"POST {PATHS[job]} HTTP/1.1\r\nHost: bench\r\nContent-Length: 5\r\n\r\nhello")
        expect(body.strip() == b"5", body)
        return length
    length, body = answer(port, f"GET {PATHS[job]} HTTP/1.1\r\nHost: bench\r\n\r\n")
    expect(job != JSON or re.fullmatch(rb'\{"message": ?"Hello, World!"\}\n?', body), body)
    return length


def check_echo(port: int) -> int:
    with socket.create_connection((HOST, port), 5) as connection:
        connection.sendall(b"hello\n")
        reply = b""
        while len(reply) < 6:
            reply += receive(connection)
        expect(reply == b"hello\n", reply)
        return len(reply)


def answer(port: int, request: str) -> tuple[int, bytes]:
    """How long the answer to a request is, in all, and its body."""
    with socket.create_connection((HOST, port), 5) as connection:
        connection.sendall(request.encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += receive(connection)
        head, _, body = reply.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        expect(head.startswith(b"HTTP/1.1 200") and length, head)
        while len(body) < int(length[1]):
            body += receive(connection)
        return len(head) + 4 + len(body), body


def receive(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise Failure("the server closed the connection")
    return piece


def expect(is_so: object, reply: bytes) -> None:
    if not is_so:
        raise Failure(f"unexpected answer: {reply[:200]!r}")

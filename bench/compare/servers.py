# SPDX-License-Identifier: MIT
"""
servers - how each server is started for a job; its processes, CPU time and memory

All answer GET /hello/x by as many bytes as the floor: those that add headers of their own say less
in others, and their bodies are cut to fit.
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import Callable

from . import jobs
from .jobs import ECHO, HELLO, JOBS, JSON, PATH, TIMERS, Failure

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
# Where daemons are, which is not in every user's PATH.
PROGRAM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
# Not the first python3 of the PATH, which may know nothing of Debian's packages.
PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Place:
    """Where a server is to listen, and what it is to do and to say."""

    settings: argparse.Namespace
    folder: pathlib.Path  # for its configuration and whatever it writes
    port: int
    body: str  # for those whose body can be chosen
    closes: bool  # each request says `Connection: close`; the floors don't read that
    job: str = HELLO

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def program(self, name: str) -> str:
        return str(self.settings.build / name)


@dataclasses.dataclass
class Server:
    command: Callable[[Place], list[str]]
    jobs: tuple[str, ...] = (HELLO,)
    is_fitted: bool = False  # its body can be chosen
    package: str = ""  # Debian's, whose version the report tells
    is_ours: bool = False
    has_kernel_thread: bool = False  # which wants a CPU of its own
    remark: str = ""  # what is to be known about its numbers


# --- ours ------------------------------------------------------------------------------------------

OURO_JOBS = {
    HELLO: ("examples/http_server", "--delay", "0"),
    TIMERS: ("examples/http_server", "--delay", str(jobs.DELAY_MS / 1000)),
    ECHO: ("examples/sharded_echo", "--shards", "1"),
}


def ouro_command(place: Place) -> list[str]:
    program, *options = OURO_JOBS.get(place.job, ("bench/arena", "--shards", "1"))
    return [place.program(program), *options] + listen_option(place)


def ouro_mode(mode: str) -> Callable[[Place], list[str]]:
    return lambda place: ["env", f"OURO_RING=uring:mode={mode}"] + ouro_command(place)


def raw_http_command(place: Place) -> list[str]:
    return [place.program("bench/raw_http")] + listen_option(place) + close_option(place)


def raw_epoll_command(place: Place) -> list[str]:
    return [place.program("bench/raw_epoll")] + listen_option(place) + close_option(place)


def listen_option(place: Place) -> list[str]:
    return ["--listen", f"127.0.0.1:{place.port}"]


def close_option(place: Place) -> list[str]:
    return ["--close"] if place.closes else []


# --- servers that are configured --------------------------------------------------------------------

# Short, as nginx and h2o send headers that can't be had off.
SHORT_TYPE = "t/h"


def nginx_command(place: Place) -> list[str]:
    folder = place.folder
    config = place.write("nginx.conf", f"""\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/nginx-1;
    proxy_temp_path {folder}/nginx-2;
    fastcgi_temp_path {folder}/nginx-3;
    uwsgi_temp_path {folder}/nginx-4;
    scgi_temp_path {folder}/nginx-5;
    server {{
        listen 127.0.0.1:{place.port} backlog=4096;
        location = /json {{ default_type "application/json"; return 200 '{{"message":"Hello, World!"}}'; }}
        location / {{ default_type "{SHORT_TYPE}"; return 200 "{place.body}"; }}
    }}
}}
""")
    return ["nginx", "-p", str(folder), "-e", f"{folder}/nginx.log", "-c", config]


def h2o_command(place: Place) -> list[str]:
    place.write("www" + PATH, place.body)
    config = place.write("h2o.conf", f"""\
num-threads: 1
max-connections: 19000
http1-request-timeout: 600
send-server-name: OFF
file.etag: OFF
file.mime.setdefaulttype: "{SHORT_TYPE}"
header.unset: "Accept-Ranges"
listen:
  host: 127.0.0.1
  port: {place.port}
hosts:
  default:
    paths:
      "/":
        file.dir: {place.folder}/www
        header.unset: "Last-Modified"
""")
    return ["h2o", "-m", "worker", "-c", config]


# haproxy wants twice as many descriptors as connections, as if each went on to a server.
def haproxy_command(place: Place) -> list[str]:
    config = place.write("haproxy.conf", f"""\
global
    nbthread 1
    maxconn 15000
    no strict-limits
defaults
    mode http
    timeout client 600s
    timeout http-keep-alive 600s
    timeout http-request 600s
frontend all
    bind 127.0.0.1:{place.port} backlog 4096
    http-request return status 200 content-type "text/html; charset=utf-8" string "{place.body}"
""")
    return ["haproxy", "-q", "-db", "-f", config]


def lighttpd_command(place: Place) -> list[str]:
    place.write("www" + PATH, place.body)
    config = place.write("lighttpd.conf", f"""\
server.document-root = "{place.folder}/www"
server.bind = "127.0.0.1"
server.port = {place.port}
server.listen-backlog = 4096
server.max-fds = 20000
server.max-connections = 15000
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-read-idle = 600
server.tag = ""
static-file.etags = "disable"
mimetype.assign = ( "" => "{SHORT_TYPE}" )
""")
    return ["lighttpd", "-D", "-f", config]


# --- servers that are programs -----------------------------------------------------------------------


def peer_arguments(place: Place) -> list[str]:
    return [str(place.port), place.job, place.body]


def uv_command(place: Place) -> list[str]:
    return [place.program("compare/http_uv")] + peer_arguments(place) + (["close"] if place.closes else [])


def node_command(place: Place) -> list[str]:
    return ["node", str(PEERS / "http_node.js")] + peer_arguments(place)


def python_command(loop: str) -> Callable[[Place], list[str]]:
    return lambda place: [PYTHON, str(PEERS / "http_python.py"), loop] + peer_arguments(place)


# One CPU is what GOMAXPROCS would be anyway, as the process is pinned.
def go_command(place: Place) -> list[str]:
    return [place.program("compare/http_go")] + peer_arguments(place)


def free_command(text: str) -> Callable[[Place], list[str]]:
    return lambda place: shlex.split(text.replace("{port}", str(place.port)))


# What --servers chooses from, in the order of the tables. More come by --server.
SERVERS: dict[str, Server] = {
    "ouro": Server(ouro_command, JOBS, is_ours=True),
    "ouro-sqpoll": Server(ouro_mode("sqpoll"), JOBS, is_ours=True, has_kernel_thread=True),
    "ouro-auto": Server(ouro_mode("auto"), JOBS, is_ours=True),
    "raw_http": Server(raw_http_command),
    "raw_epoll": Server(raw_epoll_command),
    "nginx": Server(nginx_command, (HELLO, JSON), is_fitted=True, package="nginx",
                    remark="its JSON is a fixed text"),
    "h2o": Server(h2o_command, is_fitted=True, package="h2o"),
    "haproxy": Server(haproxy_command, is_fitted=True, package="haproxy"),
    "lighttpd": Server(lighttpd_command, is_fitted=True, package="lighttpd"),
    "libuv": Server(uv_command, (HELLO, TIMERS, ECHO), is_fitted=True, package="libuv1-dev",
                    remark="its program parses nothing, as the floors"),
    "go": Server(go_command, JOBS, is_fitted=True, package="golang-go"),
    "node": Server(node_command, JOBS, is_fitted=True, package="nodejs"),
    "aiohttp": Server(python_command("asyncio"), JOBS, is_fitted=True, package="python3-aiohttp"),
    "aiohttp-uvloop": Server(python_command("uvloop"), JOBS, is_fitted=True, package="python3-uvloop"),
}


def build_peers(build: pathlib.Path) -> None:
    """Those that want a compiler, as far as there is one; who is not built is skipped later."""
    (build / "compare").mkdir(parents=True, exist_ok=True)
    cache = {"GOCACHE": str(build / "compare/go-cache"), "GO111MODULE": "off"}
    compile_peer(build / "compare/http_go", PEERS / "http_go.go",
                 lambda source, to: ["go", "build", "-o", to, source], cache)
    compile_peer(build / "compare/http_uv", PEERS / "http_uv.c",
                 lambda source, to: [os.environ.get("CC", "gcc"), "-O2", "-g", "-D_GNU_SOURCE",
                                     "-o", to, source, "-luv"])


def compile_peer(to: pathlib.Path, source: pathlib.Path, command: Callable, environment: dict = {}) -> None:
    if to.exists() and to.stat().st_mtime > source.stat().st_mtime:
        return
    words = command(str(source), str(to))
    if not shutil.which(words[0]):
        return
    done = subprocess.run(words, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"{source.name} cannot be built: {done.stderr.strip()[:200]}", file=sys.stderr)


# --- processes ---------------------------------------------------------------------------------------


class Running:
    """A server that runs. Everything about it goes by its process id and those of its children."""

    def __init__(self, name: str, process: subprocess.Popen, place: Place):
        self.name = name
        self.process = process
        self.port = place.port
        self.job = place.job
        self.address = f"127.0.0.1:{place.port}"

    @property
    def path(self) -> str:
        return jobs.PATHS[self.job]

    @property
    def url(self) -> str:
        return f"http://{self.address}{self.path}"

    def pids(self) -> list[int]:
        return with_descendants(self.process.pid)

    def cpu_ns(self) -> int:
        return sum(cpu_ns(pid) for pid in self.pids())

    def resident_kib(self) -> int:
        return sum(resident_kib(pid) for pid in self.pids())


def with_descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold anything.
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for each in found:  # which grows meanwhile
        found += children.get(each, [])
    return found


def cpu_ns(pid: int) -> int:
    total = 0
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):
            total += int(path.read_text().split()[0])
    return total


def resident_kib(pid: int) -> int:
    with contextlib.suppress(OSError):  # a child that has ended meanwhile
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Rss:\s*(\d+) kB", text, re.M)[1])
    return 0


def free_port(last=[18100]) -> int:
    """A port below those that the kernel gives to clients, and another one each time: the kernel
    needs a moment to close the listener of a ring whose process has ended."""
    while True:
        last[0] += 1
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", last[0]))
                return last[0]


@contextlib.contextmanager
def running(place: Place, name: str, command: list[str]):
    """Starts the server, waits until it does its job, and stops it in the end."""
    log = place.folder / "output"
    server = None
    try:
        with undisturbed():
            server = Running(name, start(command, log), place)
        wait_until_ready(server, log)
        yield server
        if server.process.poll() is not None:
            raise Failure(f"{name} ended by itself: {log.read_text()[-500:]}")
    finally:
        with undisturbed():
            if server:
                stop(server)


def start(command: list[str], log: pathlib.Path) -> subprocess.Popen:
    # In a session of its own: an interrupt of the terminal is for us, and then we stop the server.
    with open(log, "w") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                start_new_session=True, preexec_fn=allow_signals,
                                env={**os.environ, "PATH": PROGRAM_PATH})


# They end us by an exception. One while a server starts would leave nobody who knows of it.
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextlib.contextmanager
def undisturbed():
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        allow_signals()


def allow_signals() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def wait_until_ready(server: Running, log: pathlib.Path) -> None:
    limit = time.monotonic() + 10
    while True:
        try:
            jobs.check(server.port, server.job)
            return
        except (OSError, Failure) as error:
            if server.process.poll() is not None or time.monotonic() > limit:
                raise Failure(f"{server.name} does not start: {log.read_text()[-500:].strip() or error}")
            time.sleep(0.02)


def stop(server: Running) -> None:
    pids = server.pids()
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        print(f"{server.name} does not end, and is killed", file=sys.stderr)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.process.wait()


def pinned(cpu: int | str, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(cpu)] + command

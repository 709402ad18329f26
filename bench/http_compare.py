#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
http_compare - what the HTTP server costs, beside a loop that does nothing else and beside others

Question: how much CPU time, memory and how many system calls does a request, or a connection, cost
          the server; and what does a client wait?
Run:      make deps-compare bench && bench/http_compare.py [WORKLOAD...]
          bench/http_compare.py --list
Prints:   a table for each workload: medians over the rounds, and the medians of the ratios of each
          round to the floor (raw_http) and to nginx, with the lowest and the highest.

Servers run on one CPU with one worker each, the load on another CPU. In each round every server has
its turn, started anew, and each round begins with another one: a machine that is slow for a minute
is slow for all. Ratios within a round are worth more than times. CPU time is what the scheduler has
counted for all threads of all processes of a server, from /proc/PID/task/*/schedstat.

All servers answer GET /hello/x by as many bytes as raw_http: those that add headers of their own say
less in others, and their bodies are cut to fit.

Where to read on: SERVERS, WORKLOADS, then main() at the end.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Callable

TOP = pathlib.Path(__file__).resolve().parent.parent
FLOOR = "raw_http"
RIVAL = "nginx"
PATH = "/hello/x"
WARM_UP_S = 0.5
# Where daemons are, which is not in every user's PATH.
PROGRAM_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Failure(Exception):
    """A server or a generator did not do what it should: one measurement is lost."""


# --- servers --------------------------------------------------------------------------------------


@dataclasses.dataclass
class Place:
    """Where a server is to listen, and what it is to say."""

    settings: argparse.Namespace
    folder: pathlib.Path  # for its configuration and whatever it writes
    port: int
    body: str  # for those whose body can be chosen
    closes: bool  # each request says `Connection: close`; the floors don't read that

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def program(self, name: str) -> str:
        return str(self.settings.build / name)


def ouro_command(place: Place) -> list[str]:
    return [place.program("examples/http_server"), "--delay", "0"] + listen_option(place)


def raw_http_command(place: Place) -> list[str]:
    return [place.program("bench/raw_http")] + listen_option(place) + close_option(place)


def raw_epoll_command(place: Place) -> list[str]:
    return [place.program("bench/raw_epoll")] + listen_option(place) + close_option(place)


def listen_option(place: Place) -> list[str]:
    return ["--listen", f"127.0.0.1:{place.port}"]


def close_option(place: Place) -> list[str]:
    return ["--close"] if place.closes else []


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


def free_command(text: str) -> Callable[[Place], list[str]]:
    return lambda place: shlex.split(text.replace("{port}", str(place.port)))


# What --servers chooses from, in the order of the tables. More come by --server.
SERVERS: dict[str, Callable[[Place], list[str]]] = {
    "ouro": ouro_command,
    "raw_http": raw_http_command,
    "raw_epoll": raw_epoll_command,
    "nginx": nginx_command,
    "h2o": h2o_command,
    "haproxy": haproxy_command,
}
WITH_A_BODY_TO_CHOOSE = ("nginx", "h2o", "haproxy")


class Running:
    """A server that runs. Everything about it goes by its process id and those of its children."""

    def __init__(self, name: str, process: subprocess.Popen, port: int):
        self.name = name
        self.process = process
        self.address = f"127.0.0.1:{port}"
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{self.address}{PATH}"

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
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Rss:\s*(\d+) kB", text, re.M)[1])


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
def running(bench: "Bench", name: str, body: str | None = None, closes: bool = False):
    """Starts the server, waits until it answers, and stops it in the end."""
    place = Place(bench.settings, bench.folder / name, free_port(), body or bench.bodies[name], closes)
    place.folder.mkdir(exist_ok=True)
    command = pinned(bench.settings.server_cpu, bench.servers[name](place))
    bench.note_command(bench.server_commands, name, command, place.port)
    log = place.folder / "output"
    server = None
    try:
        with undisturbed():
            server = Running(name, start(command, log), place.port)
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
            reply_bytes(server.port)
            return
        except (OSError, Failure) as error:
            if server.process.poll() is not None or time.monotonic() > limit:
                raise Failure(f"{server.name} does not start: {error}; {log.read_text()[-500:]}")
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


def reply_bytes(port: int) -> int:
    """How long the answer to one request is, in all."""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        reply = b""
        while b"\r\n\r\n" not in reply:
            reply += receive(connection)
        head = reply.partition(b"\r\n\r\n")[0]
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.I)
        if not head.startswith(b"HTTP/1.1 200") or not length:
            raise Failure(f"unexpected answer: {head[:200]!r}")
        total = len(head) + 4 + int(length[1])
        while len(reply) < total:
            reply += receive(connection)
        return total


def receive(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise Failure("the server closed the connection")
    return piece


def pinned(cpu: int, command: list[str]) -> list[str]:
    return ["taskset", "-c", str(cpu)] + command


# --- generators -----------------------------------------------------------------------------------

# Each is a function that makes a command, and one that reads what the command has printed: the
# requests and seconds it counted, errors, and latencies if it knows them.

BROWSER = """\
wrk.headers["Connection"] = "keep-alive"
wrk.headers["Cache-Control"] = "max-age=0"
wrk.headers["sec-ch-ua"] = '"Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"'
wrk.headers["sec-ch-ua-mobile"] = "?0"
wrk.headers["sec-ch-ua-platform"] = '"Linux"'
wrk.headers["Upgrade-Insecure-Requests"] = "1"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " ..
    "Chrome/142.0.0.0 Safari/537.36"
wrk.headers["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp," ..
    "image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
wrk.headers["Sec-Fetch-Site"] = "none"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["Sec-Fetch-Dest"] = "document"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br, zstd"
wrk.headers["Accept-Language"] = "en-GB,en;q=0.9,de;q=0.8"
"""

PIPELINE = """\
local text
function init(args)
    text = string.rep(wrk.format("GET", wrk.path), tonumber(args[1]))
end
function request()
    return text
end
"""

SCRIPTS = {"browser.lua": BROWSER, "pipeline.lua": PIPELINE}


def wrk(bench: "Bench", server: Running, connections: int, script=None, arguments=()) -> list[str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{bench.settings.seconds}s", "--latency"]
    if script:
        command += ["-s", str(bench.folder / script)]
    return command + [server.url] + (["--", *arguments] if arguments else [])


def read_wrk(text: str) -> dict:
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    not_200 = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if not total:
        raise Failure(f"wrk: {text[-500:]}")
    result = {
        "requests": int(total[1]),
        "seconds": in_us(total[2], total[3]) / 1e6,
        "errors": sum(map(int, errors.groups())) if errors else 0,
    }
    result["errors"] += int(not_200[1]) if not_200 else 0
    for percent in 50, 99:
        latency = re.search(rf"^ +{percent}% +([\d.]+)(us|ms|s|m)$", text, re.M)
        result[f"p{percent}_us"] = in_us(*latency.groups())
    return result


def in_us(number: str, unit: str) -> float:
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}[unit]


def client(bench: "Bench", server: Running, *options: str) -> list[str]:
    program = str(bench.settings.build / "bench/raw_client")
    return [program, "--seconds", str(bench.settings.seconds), *options, server.address]


def load(bench: "Bench", server: Running, *options: str) -> list[str]:
    return [str(bench.settings.build / "bench/raw_load"), "--seconds", str(bench.settings.seconds),
            "--connections", "64", *options, server.address]


def read_pairs(text: str) -> dict:
    """Of raw_client and raw_load: names and numbers by turns."""
    words = text.split()
    if words[:1] != ["requests"]:
        raise Failure(f"no result: {text[-500:]}")
    return {name: float(number) for name, number in zip(words[::2], words[1::2])}


H2LOAD_CONNECTIONS = 64


def h2load(bench: "Bench", server: Running, log=None, rate: float = 0) -> list[str]:
    command = ["h2load", "--h1", "-t1", f"-c{H2LOAD_CONNECTIONS}", f"-D{bench.settings.seconds}"]
    if rate:
        command += [f"--rps={rate / H2LOAD_CONNECTIONS:.3f}", f"--log-file={log}"]
    return command + [server.url]


def read_h2load(text: str) -> dict:
    total = re.search(r"^finished in ([\d.]+)(us|ms|s|m), ([\d.]+) req/s", text, re.M)
    counts = re.search(r"^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored", text, re.M)
    if not total or not counts:
        raise Failure(f"h2load: {text[-500:]}")
    return {
        "requests": int(counts[1]),
        "seconds": int(counts[1]) / float(total[3]) if float(total[3]) else 0,
        "errors": int(counts[2]) + int(counts[3]),
    }


def read_h2load_log(path: pathlib.Path) -> dict:
    """Percentiles, which h2load itself does not tell: each line is a start, a status, a time."""
    times = sorted(int(line.split("\t")[2]) for line in path.read_text().splitlines())
    if not times:
        raise Failure("h2load has logged nothing")
    return {
        "p50_us": times[len(times) // 2],
        "p99_us": times[len(times) * 99 // 100],
        "max_us": times[-1],
    }


# --- measuring ------------------------------------------------------------------------------------


def under_load(bench: "Bench", server: Running, command: list[str], read: Callable[[str], dict],
               wrapper: list[str] = [], log: pathlib.Path | None = None) -> dict:
    """Runs a generator, first for a moment and then in earnest, and adds what the server spent.
    To `log` the generator appends, so that the first run's lines have to go."""
    command = pinned(bench.settings.load_cpu, command)
    bench.note_command(bench.load_commands, bench.workload, command, server.port)
    warm_up(command)
    if log:
        log.unlink(missing_ok=True)
    start_ns, start = server.cpu_ns(), time.monotonic()
    text = output_of(wrapper + command, bench.settings.seconds + 60)
    wall_s = time.monotonic() - start
    spent_ns = server.cpu_ns() - start_ns
    result = read(text)
    if not result["requests"]:
        raise Failure(f"{server.name}: no request was answered")
    result["rate"] = result["requests"] / result["seconds"]
    result["cpu_us"] = spent_ns / 1e3 / result["requests"]
    result["busy_percent"] = 100 * spent_ns / 1e9 / wall_s
    return result


# wrk and h2load know whole seconds only.
def warm_up(command: list[str]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(WARM_UP_S)
    finally:
        process.terminate()
        process.wait()
    time.sleep(0.05)  # in which the server closes its side


def output_of(command: list[str], seconds_max: float) -> str:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=seconds_max)
    except subprocess.TimeoutExpired:
        raise Failure(f"{shlex.join(command)}: no end") from None
    if done.returncode != 0:
        raise Failure(f"{shlex.join(command)}: {done.stdout[-500:]}")
    return done.stdout


def measure_wrk(connections: int, script=None, arguments=()) -> Callable:
    def measure(bench: "Bench", server: Running) -> dict:
        return under_load(bench, server, wrk(bench, server, connections, script, arguments), read_wrk)
    return measure


def measure_client(*options: str) -> Callable:
    def measure(bench: "Bench", server: Running) -> dict:
        return under_load(bench, server, client(bench, server, *options), read_pairs)
    return measure


def measure_idle(bench: "Bench", server: Running) -> dict:
    count = bench.settings.idle_connections
    command = pinned(bench.settings.load_cpu, [str(bench.settings.build / "bench/raw_client"),
                                               "--idle", str(count), server.address])
    bench.note_command(bench.load_commands, bench.workload, command, server.port)
    before = server.resident_kib()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline().split()
        if said != ["open", str(count)]:
            raise Failure(f"{server.name}: no {count} connections")
        time.sleep(2)
        after = server.resident_kib()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
    return {"connections": count, "resident_kib": after, "kib": (after - before) / count}


def with_system_calls(bench: "Bench", server: Running, command: list[str], read) -> dict:
    counts = bench.folder / "perf"
    # It counts for as long as the generator runs; the warm-up is not among it.
    perf = ["perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", str(counts), "-p",
            ",".join(map(str, server.pids())), "--"]
    result = under_load(bench, server, command, read, perf)
    count = re.search(r"^(\d+),[^\n]*raw_syscalls:sys_enter", counts.read_text(), re.M)
    if not count:
        raise Failure(f"perf: {counts.read_text()[-500:]}")
    result["system_calls"] = int(count[1])
    result["calls"] = int(count[1]) / result["requests"]
    return result


def measure_syscalls(bench: "Bench", server: Running) -> dict:
    return with_system_calls(bench, server, wrk(bench, server, 64), read_wrk)


def measure_syscalls_busy(bench: "Bench", server: Running) -> dict:
    return with_system_calls(bench, server, load(bench, server), read_pairs)


def measure_even_latency(bench: "Bench", server: Running) -> dict:
    return under_load(bench, server, load(bench, server, "--rate", f"{bench.half_rate():.0f}"), read_pairs)


# h2load looks every 10 ms at how many requests its rate has room for, and sends them at once.
def measure_latency(bench: "Bench", server: Running) -> dict:
    log = bench.folder / "h2load.log"
    command = h2load(bench, server, log, bench.half_rate())
    result = under_load(bench, server, command, read_h2load, log=log)
    return {**result, **read_h2load_log(log)}


# --- workloads ------------------------------------------------------------------------------------


@dataclasses.dataclass
class Metric:
    key: str  # in a measurement
    title: str
    digits: int
    is_compared: bool = False  # by its ratios to the floor and the rival


@dataclasses.dataclass
class Workload:
    about: str
    tools: tuple[str, ...]  # programs without which it is skipped
    measure: Callable
    metrics: list[Metric]
    closes: bool = False
    at_half_rate: bool = False
    busy_percent_min: int = 0  # else the table says so


CPU = Metric("cpu_us", "CPU µs/request", 2, is_compared=True)
RATE = Metric("rate", "requests/s", 0)
BUSY = Metric("busy_percent", "CPU busy %", 0)
P50 = Metric("p50_us", "p50 µs", 1)
P99 = Metric("p99_us", "p99 µs", 1)
CALLS = Metric("calls", "system calls/request", 4, is_compared=True)
THROUGHPUT = [CPU, RATE, BUSY]
LATENCY = [P50, dataclasses.replace(P99, is_compared=True), RATE, CPU]
ONE_CLIENT = [CPU, dataclasses.replace(RATE, is_compared=True), P50, P99]

WORKLOADS: dict[str, Workload] = {
    "keepalive-64": Workload("wrk, 64 connections", ("wrk",), measure_wrk(64), THROUGHPUT),
    "keepalive-256": Workload("wrk, 256 connections", ("wrk",), measure_wrk(256), THROUGHPUT),
    "keepalive-1024": Workload("wrk, 1,024 connections", ("wrk",), measure_wrk(1024), THROUGHPUT),
    "browser-64": Workload("wrk, 64 connections, a browser's request of 14 headers", ("wrk",),
                           measure_wrk(64, "browser.lua"), THROUGHPUT),
    "pipeline-64": Workload("wrk, 64 connections, 16 requests at a time", ("wrk",),
                            measure_wrk(64, "pipeline.lua", ("16",)), THROUGHPUT),
    "one-wrk": Workload("wrk, 1 connection", ("wrk",), measure_wrk(1), ONE_CLIENT),
    "one-blocking": Workload("1 connection of a client that blocks", (), measure_client(), ONE_CLIENT),
    "one-paced": Workload("the same, a request each millisecond", (),
                          measure_client("--gap-us", "1000"),
                          [CPU, dataclasses.replace(P50, is_compared=True), P99]),
    "connect": Workload("8 clients, a connection for each request, which the server closes", (),
                        measure_client("--close", "--threads", "8"), THROUGHPUT, closes=True),
    "idle": Workload("connections that have had an answer and do nothing", (), measure_idle,
                     [Metric("kib", "KiB/connection", 3, is_compared=True),
                      Metric("resident_kib", "KiB resident", 0)]),
    "syscalls": Workload("wrk, 64 connections", ("wrk", "perf"), measure_syscalls, [CALLS, BUSY, RATE]),
    "syscalls-busy": Workload("a load that saturates the server, 64 connections", ("perf",),
                              measure_syscalls_busy, [CALLS, BUSY, RATE, CPU], busy_percent_min=97),
    "p99": Workload("h2load, half the rate at which nginx is saturated, in bursts each 10 ms",
                    ("h2load",), measure_latency, LATENCY, at_half_rate=True),
    "p99-even": Workload("the same rate evenly, by a client that never sleeps", ("h2load",),
                         measure_even_latency, LATENCY, at_half_rate=True),
}


# --- the whole comparison -------------------------------------------------------------------------


class Bench:
    """The servers that there are, what was measured, and by which commands."""

    def __init__(self, settings: argparse.Namespace, folder: pathlib.Path):
        self.settings = settings
        self.folder = folder
        self.servers = {name: SERVERS[name] for name in settings.servers}
        self.servers.update(settings.server)
        self.bodies = {name: "x" * 18 for name in self.servers}
        self.reply_bytes: dict[str, int] = {}
        self.server_commands: dict[str, str] = {}
        self.load_commands: dict[str, str] = {}
        self.workload = ""
        self.samples: list[dict] = []
        self.failures: list[str] = []
        self.saturated_rate: float | None = None
        for name, text in SCRIPTS.items():
            (folder / name).write_text(text)

    def note_command(self, commands: dict[str, str], name: str, command: list[str], port: int) -> None:
        """That of the first time, with nothing in it that changes from time to time."""
        text = shlex.join(command).replace(str(self.folder), "DIR")
        commands.setdefault(name, re.sub(rf"\b{port}\b", "PORT", text))

    def drop_absent_servers(self) -> None:
        for name in list(self.servers):
            place = Place(self.settings, self.folder, 1, "x", False)
            program = self.servers[name](place)[0]
            if not shutil.which(program, path=PROGRAM_PATH):
                print(f"{name}: skipped, there is no {program}")
                del self.servers[name]

    def fit_replies(self) -> None:
        """Makes all replies as long as the floor's, and finds out how long they are."""
        for name in self.servers:
            with running(self, name) as server:
                self.reply_bytes[name] = reply_bytes(server.port)
        target = self.reply_bytes.get(FLOOR) or next(iter(self.reply_bytes.values()))
        for name in WITH_A_BODY_TO_CHOOSE:
            if name in self.servers:
                self.bodies[name] = "x" * max(1, 18 + target - self.reply_bytes[name])
                with running(self, name) as server:
                    self.reply_bytes[name] = reply_bytes(server.port)
        for name, length in self.reply_bytes.items():
            if length != target:
                print(f"{name}: its reply has {length} bytes, not {target}")

    def half_rate(self) -> float:
        """Half of what the rival answers when it gets as much as it can take."""
        if self.saturated_rate is None:
            name = RIVAL if RIVAL in self.servers else FLOOR
            with running(self, name) as server:
                command = pinned(self.settings.load_cpu, h2load(self, server))
                warm_up(command)
                result = read_h2load(output_of(command, self.settings.seconds + 60))
            self.saturated_rate = result["requests"] / result["seconds"]
        return self.saturated_rate / 2

    def play(self, name: str) -> None:
        workload = WORKLOADS[name]
        self.workload = name
        if workload.at_half_rate:
            self.half_rate()  # before a server runs whose measurement it would disturb
        for round_index in range(self.settings.rounds):
            order = rotated(list(self.servers), round_index)
            for server_name in order:
                self.measure_once(name, workload, round_index, server_name)

    def measure_once(self, name: str, workload: Workload, round_index: int, server_name: str) -> None:
        try:
            with running(self, server_name, closes=workload.closes) as server:
                sample = workload.measure(self, server)
        except Failure as failure:
            self.fail(f"{name}, round {round_index + 1}: {failure}")
            return
        if sample.get("errors"):
            self.fail(f"{name}, round {round_index + 1}: {server_name}: {sample['errors']:.0f} errors")
        self.samples.append({"workload": name, "round": round_index, "server": server_name, **sample})
        tell_progress(f"{name} {round_index + 1}/{self.settings.rounds} {server_name}")

    def fail(self, text: str) -> None:
        self.failures.append(text)
        print(text, file=sys.stderr)

    def values(self, workload: str, server: str, key: str) -> dict[int, float]:
        """By round."""
        return {sample["round"]: sample[key] for sample in self.samples
                if sample["workload"] == workload and sample["server"] == server and key in sample}


def rotated(items: list, by: int) -> list:
    by %= len(items) or 1
    return items[by:] + items[:by]


def tell_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}\r", end="", file=sys.stderr, flush=True)


# --- telling --------------------------------------------------------------------------------------


def table(bench: Bench, name: str) -> list[str]:
    metrics = WORKLOADS[name].metrics
    compared = [metric for metric in metrics if metric.is_compared]
    titles = ["server"] + [metric.title for metric in metrics]
    for metric in compared:
        prefix = f"{metric.title} " if len(compared) > 1 else ""
        titles += [f"{prefix}÷ {FLOOR}", f"{prefix}÷ {RIVAL}"]
    rows = [titles, ["---"] + ["---:"] * (len(titles) - 1)]
    for server in bench.servers:
        row = [server] + [median(bench.values(name, server, metric.key), metric.digits)
                          for metric in metrics]
        for metric in compared:
            row += [ratio(bench, name, server, other, metric.key) for other in (FLOOR, RIVAL)]
        rows.append(row)
    return ["| " + " | ".join(row) + " |" for row in rows]


def median(values: dict[int, float], digits: int) -> str:
    return f"{statistics.median(values.values()):,.{digits}f}" if values else "-"


def ratio(bench: Bench, workload: str, server: str, other: str, key: str) -> str:
    mine, others = bench.values(workload, server, key), bench.values(workload, other, key)
    ratios = [mine[index] / others[index] for index in mine if others.get(index)]
    if not ratios:
        return "-"
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}..{max(ratios):.3f})"


def tell_workload(bench: Bench, name: str) -> None:
    print(f"\n## {name}: {WORKLOADS[name].about}\n")
    if name in bench.load_commands:
        print(f"`{bench.load_commands[name]}`\n")
    if WORKLOADS[name].at_half_rate and bench.saturated_rate:
        print(f"Half of {bench.saturated_rate:,.0f} requests/s.\n")
    if WORKLOADS[name].closes:
        print("The floors, which do not read requests, are started with --close.\n")
    print("\n".join(table(bench, name)))
    tell_idlers(bench, name)


def tell_idlers(bench: Bench, name: str) -> None:
    """Which servers were not as busy as the workload wants them."""
    least = WORKLOADS[name].busy_percent_min
    busy = {server: bench.values(name, server, BUSY.key) for server in bench.servers}
    idlers = [server for server, values in busy.items()
              if values and statistics.median(values.values()) < least]
    if idlers:
        print(f"\nBusy for less than {least} % of the time: {', '.join(idlers)}.")


def machine(bench: Bench) -> dict[str, str]:
    cpu = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    control = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")
    facts = {
        "kernel": os.uname().release,
        "cpu": f"{cpu[1] if cpu else os.uname().machine}, {os.cpu_count()} CPUs",
        "congestion control": control.read_text().strip() if control.exists() else "unknown",
        "rounds": f"{bench.settings.rounds} of {bench.settings.seconds} s each, "
                  f"after {WARM_UP_S} s to warm up",
    }
    for program, option in (("wrk", "-v"), ("h2load", "--version"), ("perf", "--version"),
                            ("nginx", "-v"), ("h2o", "-v"), ("haproxy", "-v")):
        facts[program] = version(program, option)
    return facts


def version(program: str, option: str) -> str:
    path = shutil.which(program, path=PROGRAM_PATH)
    if not path:
        return "not there"
    done = subprocess.run([path, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0].strip()


def tell_beginning(bench: Bench, facts: dict[str, str]) -> None:
    print("# HTTP servers compared\n")
    for name, fact in facts.items():
        print(f"- {name}: {fact}")
    print(f"\nServers on CPU {bench.settings.server_cpu}, load on CPU {bench.settings.load_cpu}.\n")
    print("| server | reply bytes | command |\n|---|---:|---|")
    for name in bench.servers:
        print(f"| {name} | {bench.reply_bytes[name]} | `{bench.server_commands[name]}` |")


def write_json(bench: Bench, facts: dict[str, str]) -> None:
    everything = {
        "machine": facts,
        "reply_bytes": bench.reply_bytes,
        "server_commands": bench.server_commands,
        "load_commands": bench.load_commands,
        "saturated_rate": bench.saturated_rate,
        "failures": bench.failures,
        "samples": bench.samples,
    }
    pathlib.Path(bench.settings.json).write_text(json.dumps(everything, indent=1) + "\n")


# --- options --------------------------------------------------------------------------------------


def named_server(text: str) -> tuple[str, Callable]:
    name, separator, command = text.partition("=")
    if not name or not separator or "{port}" not in command:
        raise argparse.ArgumentTypeError("NAME=COMMAND, with {port} in it")
    return name, free_command(command)


def server_names(text: str) -> list[str]:
    names = text.split(",") if text else []
    if unknown := set(names) - set(SERVERS):
        raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}; {', '.join(SERVERS)}")
    return names


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return int(text)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="What an HTTP server costs, beside other servers.",
        epilog="--server may be given several times, as to compare two builds of one server.")
    option = parser.add_argument
    option("workloads", nargs="*", metavar="WORKLOAD", help="default: all; see --list")
    option("--list", action="store_true", help="tell the workloads, and end")
    option("--servers", type=server_names, default=list(SERVERS), metavar="NAME,...",
           help=f"of {','.join(SERVERS)}; default: all that are installed")
    option("--server", type=named_server, action="append", default=[], metavar="NAME=COMMAND",
           help="one more, that listens on port {port} of 127.0.0.1")
    option("--rounds", type=positive, default=9, help="default: 9")
    option("--seconds", type=positive, default=2, help="of load, for each measurement; default: 2")
    option("--idle-connections", type=positive, default=10000, help="default: 10000")
    option("--build", type=pathlib.Path, default=TOP / "build", help="default: build")
    option("--server-cpu", type=int, default=0, help="default: 0")
    option("--load-cpu", type=int, default=1, help="default: 1")
    option("--json", metavar="FILE", help="where all numbers go")
    settings = parser.parse_args()
    settings.build = settings.build.resolve()
    if unknown := set(settings.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}; see --list")
    return settings


def list_workloads() -> None:
    for name, workload in WORKLOADS.items():
        print(f"{name:16} {workload.about}")


def allow_all_descriptors() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def compare(bench: Bench) -> None:
    bench.drop_absent_servers()
    bench.fit_replies()
    facts = machine(bench)
    tell_beginning(bench, facts)
    try:
        for name in bench.settings.workloads or WORKLOADS:
            absent = [tool for tool in WORKLOADS[name].tools if not shutil.which(tool)]
            if absent:
                print(f"\n{name}: skipped, there is no {', '.join(absent)}")
                continue
            bench.play(name)
            tell_workload(bench, name)
    finally:
        if bench.settings.json:
            write_json(bench, facts)


def main() -> int:
    settings = parse_options()
    if settings.list:
        list_workloads()
        return 0
    # Ends by an exception, as an interrupt does: then what was started is stopped.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda *_: sys.exit(1))
    sys.stdout.reconfigure(line_buffering=True)
    allow_all_descriptors()
    with tempfile.TemporaryDirectory(prefix="http_compare-") as folder:
        os.chmod(folder, 0o755)  # servers that root starts become somebody else
        bench = Bench(settings, pathlib.Path(folder))
        try:
            compare(bench)
        except Failure as failure:
            bench.fail(str(failure))
        except KeyboardInterrupt:
            bench.fail("interrupted")
    for failure in bench.failures:
        print(f"failed: {failure}")
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())

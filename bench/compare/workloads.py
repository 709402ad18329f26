# SPDX-License-Identifier: MIT
"""
workloads - job, load and metrics together: what there is to measure

CPU time is what the scheduler has counted for all threads of all processes of a server, those of
the kernel's that work for its ring included, from /proc/PID/task/*/schedstat.
"""

import dataclasses
import pathlib
import re
import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Callable

from .generators import (client, h2load, load, ouro_load_echo, read_h2load, read_h2load_log, read_load, read_pairs,
                         read_wrk, wrk)
from .jobs import ECHO, HELLO, JSON, TIMERS, UPLOAD, Failure
from .servers import Running, pinned

if TYPE_CHECKING:
    from http_compare import Bench

WARM_UP_S = 0.5

# --- measuring ---------------------------------------------------------------------------------------


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
    resident_kib = server.resident_kib()
    result = read(text)
    if not result["requests"]:
        raise Failure(f"{server.name}: no request was answered")
    result["rate"] = result["requests"] / result["seconds"]
    result["cpu_us"] = spent_ns / 1e3 / result["requests"]
    result["busy_percent"] = 100 * spent_ns / 1e9 / wall_s
    result["resident_mib"] = resident_kib / 1024
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
        return under_load(bench, server, wrk(bench.settings, server, connections, script, arguments), read_wrk)
    return measure


def measure_client(*options: str) -> Callable:
    def measure(bench: "Bench", server: Running) -> dict:
        return under_load(bench, server, client(bench.settings, server, *options), read_pairs)
    return measure


def measure_echo(bench: "Bench", server: Running) -> dict:
    return under_load(bench, server, ouro_load_echo(bench.settings, server), read_load)


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


TRACEPOINT = "raw_syscalls:sys_enter"


def can_count_system_calls() -> bool:
    done = subprocess.run(["perf", "stat", "-e", TRACEPOINT, "true"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def with_system_calls(bench: "Bench", server: Running, command: list[str], read) -> dict:
    counts = bench.settings.folder / "perf"
    # It counts for as long as the generator runs; the warm-up is not among it.
    perf = ["perf", "stat", "-x,", "-e", TRACEPOINT, "-o", str(counts), "-p",
            ",".join(map(str, server.pids())), "--"]
    result = under_load(bench, server, command, read, perf)
    count = re.search(r"^(\d+),[^\n]*raw_syscalls:sys_enter", counts.read_text(), re.M)
    if not count:
        raise Failure(f"perf: {counts.read_text()[-500:]}")
    result["system_calls"] = int(count[1])
    result["calls"] = int(count[1]) / result["requests"]
    return result


def measure_syscalls(bench: "Bench", server: Running) -> dict:
    return with_system_calls(bench, server, wrk(bench.settings, server, 64), read_wrk)


def measure_syscalls_busy(bench: "Bench", server: Running) -> dict:
    return with_system_calls(bench, server, load(bench.settings, server), read_pairs)


def measure_even_latency(bench: "Bench", server: Running) -> dict:
    return under_load(bench, server, load(bench.settings, server, "--rate", f"{bench.fixed_rate():.0f}"), read_pairs)


# h2load looks every 10 ms at how many requests its rate has room for, and sends them at once.
def measure_latency(bench: "Bench", server: Running) -> dict:
    log = bench.settings.folder / "h2load.log"
    command = h2load(bench.settings, server, log, bench.fixed_rate())
    result = under_load(bench, server, command, read_h2load, log=log)
    return {**result, **read_h2load_log(log)}


# --- workloads ---------------------------------------------------------------------------------------

@dataclasses.dataclass
class Metric:
    key: str  # in a measurement
    title: str
    digits: int
    is_compared: bool = False  # by its ratios to the floor and the rival
    more_is_better: bool = False


@dataclasses.dataclass
class Workload:
    about: str
    tools: tuple[str, ...]  # programs without which it is skipped
    measure: Callable
    metrics: list[Metric]
    closes: bool = False
    rate_share: float = 0  # of what saturates the rival: at that rate; 0: as fast as it goes
    busy_percent_min: int = 0  # else the table says so
    job: str = HELLO


CPU = Metric("cpu_us", "CPU µs/request", 2, is_compared=True)
RATE = Metric("rate", "requests/s", 0, more_is_better=True)
BUSY = Metric("busy_percent", "CPU busy %", 0)
P50 = Metric("p50_us", "p50 µs", 1)
P99 = Metric("p99_us", "p99 µs", 1)
CALLS = Metric("calls", "system calls/request", 4, is_compared=True)
MEMORY = Metric("resident_mib", "MiB resident", 1)
THROUGHPUT = [CPU, RATE, BUSY, MEMORY]
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
    "json": Workload("wrk, 64 connections, an object of one member", ("wrk",), measure_wrk(64), THROUGHPUT,
                     job=JSON),
    "upload": Workload("wrk, 16 connections, 1 MiB to be counted", ("wrk",), measure_wrk(16, "upload.lua"),
                       THROUGHPUT, job=UPLOAD),
    "timers": Workload("wrk, 512 connections, answers after 10 ms", ("wrk",), measure_wrk(512),
                       [CPU, RATE, P50, P99, MEMORY], job=TIMERS),
    "echo": Workload("64 connections, 64 bytes that come back, no HTTP", (), measure_echo,
                     [CPU, RATE, P50, P99, BUSY, MEMORY], job=ECHO),
    "idle": Workload("connections that have had an answer and do nothing", (), measure_idle,
                     [Metric("kib", "KiB/connection", 3, is_compared=True),
                      Metric("resident_kib", "KiB resident", 0)]),
    "syscalls": Workload("wrk, 64 connections", ("wrk", "perf"), measure_syscalls, [CALLS, BUSY, RATE]),
    "syscalls-busy": Workload("a load that saturates the server, 64 connections", ("perf",),
                              measure_syscalls_busy, [CALLS, BUSY, RATE, CPU], busy_percent_min=97),
    "p99": Workload("h2load, half the rate at which nginx is saturated, in bursts each 10 ms",
                    ("h2load",), measure_latency, LATENCY, rate_share=0.5),
    "p99-even": Workload("the same rate evenly, by a client that never sleeps", ("h2load",),
                         measure_even_latency, LATENCY, rate_share=0.5),
    "p99-even-25": Workload("as p99-even, a quarter of what saturates nginx", ("h2load",),
                            measure_even_latency, LATENCY, rate_share=0.25),
    "p99-even-75": Workload("as p99-even, three quarters of it", ("h2load",),
                            measure_even_latency, LATENCY, rate_share=0.75),
    "p99-even-90": Workload("as p99-even, nine tenths of it", ("h2load",),
                            measure_even_latency, LATENCY, rate_share=0.9),
}

# For --short: one of each kind.
SHORT = ("keepalive-64", "pipeline-64", "connect", "json", "upload", "timers", "echo", "idle", "syscalls",
         "p99-even")

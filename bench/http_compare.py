#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
http_compare - what the HTTP server costs, beside a loop that does nothing else and beside others

Question: how much CPU time, memory and how many system calls does a request, or a connection, cost
          the server; and what does a client wait?
Run:      make bench-compare [FULL=1]
          make bench-deps bench examples && bench/http_compare.py [WORKLOAD...]
          bench/http_compare.py --list
          bench/http_compare.py --from build/compare/results.json --report build/compare
          bench/http_compare.py --from build/compare/results.json --readme README.md
Prints:   a report in Markdown: a table for each workload, with medians over the rounds, and the
          medians of the ratios of each round to the floor (raw_http) and to nginx, with the lowest
          and the highest; where ouro loses; how noisy the machine was. --report writes it, with plots
          and all numbers; --readme puts a short version between the markers of a file.

Servers run on one CPU with one worker each, the load on another CPU. In each round every server has
its turn in every workload, started anew, and each round begins with another one: a machine that is
slow for a minute is slow for all. Ratios within a round are worth more than times.

Where to read on: compare/__init__.py, then main() at the end.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time

from compare import facts, report, servers, workloads
from compare.generators import SCRIPTS, h2load, read_h2load
from compare.jobs import HELLO, Failure, check
from compare.servers import PROGRAM_PATH, SERVERS, Place, Server, pinned
from compare.workloads import WARM_UP_S, WORKLOADS, output_of, warm_up

TOP = pathlib.Path(__file__).resolve().parent.parent
FLOOR = "raw_http"
FLOORS = ("raw_http", "raw_epoll")
RIVAL = "nginx"


# --- the whole comparison -------------------------------------------------------------------------


class Bench:
    """The servers that there are, what was measured, and by which commands."""

    def __init__(self, settings: argparse.Namespace):
        self.settings = settings
        self.servers: dict[str, Server] = {name: SERVERS[name] for name in settings.servers}
        self.servers.update(settings.server)
        self.bodies = {name: "x" * 18 for name in self.servers}
        self.reply_bytes: dict[str, int] = {}
        self.server_commands: dict[str, str] = {}
        self.load_commands: dict[str, str] = {}
        self.workload = ""
        self.rounds = 0  # that are complete
        self.samples: list[dict] = []
        self.failures: list[str] = []
        self.notes: list[str] = []  # who was left out, whose reply is longer
        self.saturated_rate: float | None = None
        for name, text in SCRIPTS.items():
            (settings.folder / name).write_text(text)

    def running(self, name: str, job: str = HELLO, closes: bool = False):
        """Starts a server for a job, and stops it in the end."""
        place = Place(self.settings, self.settings.folder / name, servers.free_port(), self.bodies[name],
                      closes, job)
        place.folder.mkdir(exist_ok=True)
        cpus = self.settings.server_cpu
        if self.servers[name].has_kernel_thread:
            cpus = f"{cpus},{self.settings.kernel_cpu}"
        command = pinned(cpus, self.servers[name].command(place))
        self.note_command(self.server_commands, name, command, place.port)
        return servers.running(place, name, command)

    def note_command(self, commands: dict[str, str], name: str, command: list[str], port: int) -> None:
        """That of the first time, with nothing in it that changes from time to time."""
        text = shlex.join(command).replace(str(self.settings.folder), "DIR").replace(f"{TOP}/", "")
        commands.setdefault(name, re.sub(rf"\b{port}\b", "PORT", text))

    def note(self, text: str) -> None:
        self.notes.append(text)
        print(text, file=sys.stderr)

    def drop_absent_servers(self) -> None:
        for name, server in list(self.servers.items()):
            program = server.command(Place(self.settings, self.settings.folder, 1, "x", False))[0]
            if not shutil.which(program, path=PROGRAM_PATH):
                self.note(f"{name} is not measured: there is no {program}")
                del self.servers[name]

    def drop_unwilling_servers(self) -> None:
        """Those that do not start: a package that is half there, a mode that ouro does not have."""
        for name in list(self.servers):
            try:
                with self.running(name) as server:
                    self.reply_bytes[name] = check(server.port, HELLO)
                if self.servers[name].remark:
                    self.notes.append(f"{name}: {self.servers[name].remark}")
            except Failure as failure:
                self.note(f"{name} is not measured: {str(failure).splitlines()[0][:300]}")
                del self.servers[name]
        if not self.servers:
            raise Failure("there is no server to measure")

    def fit_replies(self) -> None:
        """Makes all replies as long as the floor's, where their length can be chosen."""
        target = self.reply_bytes.get(FLOOR) or next(iter(self.reply_bytes.values()))
        for name, server in self.servers.items():
            if server.is_fitted:
                self.bodies[name] = "x" * max(1, 18 + target - self.reply_bytes[name])
                with self.running(name) as running:
                    self.reply_bytes[name] = check(running.port, HELLO)
            if server.has_kernel_thread:
                self.note(f"{name} has CPU {self.settings.kernel_cpu} as well, for the kernel's thread"
                          + (", and shares it with the load" if self.settings.kernel_cpu == self.settings.load_cpu else ""))
            if self.reply_bytes[name] != target:
                self.note(f"{name}'s reply has {self.reply_bytes[name]} bytes, not {target}")

    def fixed_rate(self) -> float:
        """The workload's share of what the rival answers when it gets as much as it can take."""
        if self.saturated_rate is None:
            name = RIVAL if RIVAL in self.servers else next(iter(self.servers))
            with self.running(name) as server:
                command = pinned(self.settings.load_cpu, h2load(self.settings, server))
                warm_up(command)
                result = read_h2load(output_of(command, self.settings.seconds + 60))
            self.saturated_rate = result["requests"] / result["seconds"]
        return self.saturated_rate * WORKLOADS[self.workload].rate_share

    def play(self, names: list[str]) -> None:
        """All rounds; with a limit in minutes, as many of them as are likely to fit, but one."""
        begin = time.monotonic()
        for index in range(self.settings.rounds):
            spent_s = time.monotonic() - begin
            if index and spent_s * (index + 1) / index > self.settings.minutes * 60:
                break
            for name in names:
                self.play_round(name, index)
            self.rounds = index + 1

    def play_round(self, name: str, index: int) -> None:
        workload = WORKLOADS[name]
        self.workload = name
        if workload.rate_share:
            self.fixed_rate()  # before a server runs whose measurement it would disturb
        able = [server for server in self.servers if workload.job in self.servers[server].jobs]
        for server_name in rotated(able, index):
            self.measure_once(name, index, server_name)

    def measure_once(self, name: str, index: int, server_name: str) -> None:
        workload = WORKLOADS[name]
        tell_progress(f"{name} {index + 1}/{self.settings.rounds} {server_name}")
        try:
            with self.running(server_name, workload.job, workload.closes) as server:
                sample = workload.measure(self, server)
        except (Failure, OSError, ValueError) as failure:  # whatever: the others go on
            self.fail(f"{name}, round {index + 1}: {server_name}: {failure}")
            return
        if sample.get("errors"):
            self.fail(f"{name}, round {index + 1}: {server_name}: {sample['errors']:.0f} errors")
        self.samples.append({"workload": name, "round": index, "server": server_name, **sample})

    def fail(self, text: str) -> None:
        self.failures.append(text)
        print(text, file=sys.stderr)

    def results(self, machine: dict[str, str]) -> dict:
        """Everything, in the form that compare/report.py reads."""
        settings = self.settings
        return {
            "format": report.FORMAT,
            "command": settings.made_by,
            "machine": machine,
            "settings": {"rounds": self.rounds or 1, "seconds": settings.seconds, "warm_up_s": WARM_UP_S,
                         "server_cpu": settings.server_cpu, "load_cpu": settings.load_cpu},
            "floor": FLOOR,
            "rival": RIVAL,
            "servers": {name: self.describe(name, machine["commit"]) for name in self.servers},
            "workloads": {name: describe_workload(name) for name in WORKLOADS},
            "reply_bytes": self.reply_bytes,
            "server_commands": self.server_commands,
            "load_commands": self.load_commands,
            "saturated_rate": self.saturated_rate,
            "notes": self.notes,
            "failures": self.failures,
            "samples": self.samples,
        }

    def describe(self, name: str, commit: str) -> dict:
        server = self.servers[name]
        version = facts.package_version(server.package) if server.package else commit
        return {"version": version, "is_ours": server.is_ours, "is_floor": name in FLOORS}


def describe_workload(name: str) -> dict:
    workload = WORKLOADS[name]
    return {"about": workload.about, "closes": workload.closes, "rate_share": workload.rate_share,
            "busy_percent_min": workload.busy_percent_min,
            "metrics": [dataclasses.asdict(metric) for metric in workload.metrics]}


def rotated(items: list, by: int) -> list:
    by %= len(items) or 1
    return items[by:] + items[:by]


def tell_progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}\r", end="", file=sys.stderr, flush=True)


# --- options --------------------------------------------------------------------------------------


def named_server(text: str) -> tuple[str, Server]:
    name, separator, command = text.partition("=")
    if not name or not separator or "{port}" not in command:
        raise argparse.ArgumentTypeError("NAME=COMMAND, with {port} in it")
    return name, Server(servers.free_command(command))


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
    option("--self-test", action="store_true", help="test all but measuring, and end")
    option("--short", action="store_true", help=f"the workloads {', '.join(workloads.SHORT)}")
    option("--servers", type=server_names, default=list(SERVERS), metavar="NAME,...",
           help=f"of {','.join(SERVERS)}; default: all that are installed")
    option("--server", type=named_server, action="append", default=[], metavar="NAME=COMMAND",
           help="one more, that listens on port {port} of 127.0.0.1")
    option("--rounds", type=positive, default=9, help="default: 9")
    option("--minutes", type=float, default=float("inf"), metavar="N",
           help="begin no round that would end later; one is played in any case")
    option("--seconds", type=positive, default=2, help="of load, for each measurement; default: 2")
    option("--idle-connections", type=positive, default=10000, help="default: 10000")
    option("--build", type=pathlib.Path, default=TOP / "build", help="default: build")
    server_cpu, load_cpu, kernel_cpu = facts.three_cpus()
    option("--server-cpu", default=server_cpu, help=f"one, or several as taskset(1) has them; default: {server_cpu}")
    option("--load-cpu", default=load_cpu, help=f"default: {load_cpu}")
    option("--kernel-cpu", default=kernel_cpu,
           help=f"one more for servers whose ring has a thread of the kernel; default: {kernel_cpu}")
    option("--json", type=pathlib.Path, metavar="FILE", help="where all numbers go")
    option("--report", type=pathlib.Path, metavar="FOLDER", help="where report.md, plots and results.json go")
    option("--from", dest="source", type=pathlib.Path, metavar="FILE", help="measure nothing: numbers of --json")
    option("--readme", type=pathlib.Path, metavar="FILE", help="put a short version between its markers")
    option("--made-by", default=shlex.join(["bench/http_compare.py", *sys.argv[1:]]), help=argparse.SUPPRESS)
    settings = parser.parse_args()
    settings.build = settings.build.resolve()
    if unknown := set(settings.workloads) - set(WORKLOADS):
        parser.error(f"no workload {', '.join(sorted(unknown))}; see --list")
    settings.workloads = settings.workloads or list(workloads.SHORT if settings.short else WORKLOADS)
    return settings


# --- doing it ---------------------------------------------------------------------------------------


def list_workloads() -> None:
    for name, workload in WORKLOADS.items():
        print(f"{name:16} {workload.about}")


def allow_all_descriptors() -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def playable(bench: Bench) -> list[str]:
    names = []
    for name in bench.settings.workloads:
        absent = [tool for tool in WORKLOADS[name].tools if not shutil.which(tool)]
        if absent:
            bench.note(f"workload {name} is not measured: there is no {', '.join(absent)}")
        elif "perf" in WORKLOADS[name].tools and not workloads.can_count_system_calls():
            bench.note(f"workload {name} is not measured: perf may not count system calls here; root may")
        else:
            names.append(name)
    return names


def measure(bench: Bench) -> dict:
    """Until the end, or an error: what was measured by then is not lost."""
    machine = facts.machine()
    try:
        servers.build_peers(bench.settings.build)
        bench.drop_absent_servers()
        bench.drop_unwilling_servers()
        bench.fit_replies()
        bench.play(playable(bench))
    except Failure as failure:
        bench.fail(str(failure))
    except KeyboardInterrupt:
        bench.fail("interrupted")
    return bench.results(machine)


def measure_all(settings: argparse.Namespace) -> dict:
    # Ends by an exception, as an interrupt does: then what was started is stopped.
    for number in signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, lambda *_: sys.exit(1))
    allow_all_descriptors()
    with tempfile.TemporaryDirectory(prefix="http_compare-") as folder:
        os.chmod(folder, 0o755)  # servers that root starts become somebody else
        settings.folder = pathlib.Path(folder)
        return measure(Bench(settings))


def write_json(path: pathlib.Path, results: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def tell(settings: argparse.Namespace, results: dict) -> None:
    if settings.json:
        write_json(settings.json, results)
    if settings.report:
        if not settings.source:
            write_json(settings.report / "results.json", results)
        report.write(results, settings.report)
        print(f"report: {settings.report}/report.md", file=sys.stderr)
    if settings.readme:
        text = settings.readme.read_text()
        settings.readme.write_text(report.insert(text, report.short(results)))
    if not settings.report and not settings.readme:
        print(report.markdown(results), end="")


def main() -> int:
    settings = parse_options()
    if settings.list:
        list_workloads()
        return 0
    if settings.self_test:
        from compare import self_test
        return self_test.run()
    try:
        results = json.loads(settings.source.read_text()) if settings.source else measure_all(settings)
        tell(settings, results)
    except (OSError, ValueError) as error:  # of files: not there, or not what they should be
        sys.exit(f"http_compare: {error}")
    return 1 if results["failures"] and not settings.source else 0


if __name__ == "__main__":
    sys.exit(main())

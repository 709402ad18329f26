# SPDX-License-Identifier: MIT
"""
generators - the load, and what its programs print

Each is a function that makes a command, and one that reads what the command has printed: the
requests and seconds it counted, errors, and latencies if it knows them.
"""

import argparse
import json
import pathlib
import re

from .jobs import Failure
from .servers import Running

H2LOAD_CONNECTIONS = 64
UPLOAD_BYTES = 1 << 20

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

UPLOAD = f"""\
wrk.method = "POST"
wrk.body = string.rep("x", {UPLOAD_BYTES})
"""

SCRIPTS = {"browser.lua": BROWSER, "pipeline.lua": PIPELINE, "upload.lua": UPLOAD}


def wrk(settings: argparse.Namespace, server: Running, connections: int, script=None, arguments=()) -> list[str]:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{settings.seconds}s", "--latency"]
    if script:
        command += ["-s", str(settings.folder / script)]
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


def client(settings: argparse.Namespace, server: Running, *options: str) -> list[str]:
    program = str(settings.build / "bench/raw_client")
    return [program, "--seconds", str(settings.seconds), *options, server.address]


def load(settings: argparse.Namespace, server: Running, *options: str) -> list[str]:
    return [str(settings.build / "bench/raw_load"), "--seconds", str(settings.seconds),
            "--connections", "64", *options, server.address]


def ouro_load_echo(settings: argparse.Namespace, server: Running) -> list[str]:
    return [str(settings.build / "bench/ouro_load"), "--duration", f"{settings.seconds}s",
            "--connections", "64", "--echo", "64", "--json", "-", server.address]


def read_load(text: str) -> dict:
    """Of ouro_load."""
    try:
        said = json.loads(text)
    except ValueError:
        raise Failure(f"ouro_load: {text[-500:]}") from None
    return {"requests": said["requests"] + said["answered_late"], "seconds": said["seconds"],
            "errors": said["errors"]["total"],
            **{f"p{percent}_us": said["latency_us"][f"p{percent}"] for percent in (50, 99)}}


def read_pairs(text: str) -> dict:
    """Of raw_client and raw_load: names and numbers by turns."""
    words = text.split()
    if words[:1] != ["requests"]:
        raise Failure(f"no result: {text[-500:]}")
    return {name: float(number) for name, number in zip(words[::2], words[1::2])}


def h2load(settings: argparse.Namespace, server: Running, log=None, rate: float = 0) -> list[str]:
    command = ["h2load", "--h1", "-t1", f"-c{H2LOAD_CONNECTIONS}", f"-D{settings.seconds}"]
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

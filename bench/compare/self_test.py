# SPDX-License-Identifier: MIT
"""
self_test - all of http_compare that needs no server: `bench/http_compare.py --self-test`

The results are made here, small enough to be checked by hand, and go through JSON as real ones do.
The last line counts tests, for .ci/run: "N passed, N failed, N skipped".
"""

import copy
import json
import os
import pathlib
import socket
import tempfile
import threading
import traceback
import xml.etree.ElementTree

from . import facts, generators, jobs, report, servers, svg, workloads
from .jobs import Failure

CPU = {"key": "cpu_us", "title": "CPU µs/request", "digits": 2, "is_compared": True, "more_is_better": False}
RATE = {"key": "rate", "title": "requests/s", "digits": 0, "is_compared": True, "more_is_better": True}
BUSY = {"key": "busy_percent", "title": "CPU busy %", "digits": 0, "is_compared": False, "more_is_better": False}

# By round: the ratios to nginx are 0.5, 0.8 and 0.6 for ouro; node's to nginx 4, 3 and 4.
MEASURED = {
    ("keepalive-64", "cpu_us"): {"ouro": (2, 4, 3), "raw_http": (2, 2, 2.2), "nginx": (4, 5, 5), "node": (16, 15, 20)},
    ("keepalive-64", "busy_percent"): {"ouro": (50, 99, 98), "nginx": (100, 100, 100)},
    ("p99-even", "rate"): {"ouro": (1000, 990, 1010), "nginx": (1100, 1100, 1111), "node": (500, 500, 500)},
}


def sample_results() -> dict:
    samples: dict[tuple, dict] = {}
    for (workload, key), values in MEASURED.items():
        for server, rounds in values.items():
            for index, value in enumerate(rounds):
                sample = samples.setdefault((workload, server, index),
                                            {"workload": workload, "server": server, "round": index})
                sample[key] = value
    about = {"closes": False, "rate_share": 0, "busy_percent_min": 0}
    return json.loads(json.dumps({
        "format": report.FORMAT,
        "command": "make bench-compare",
        "machine": {"CPU": "a <CPU> & more", "kernel": "Linux 6.1", "commit": "0123abcd"},
        "settings": {"rounds": 3, "seconds": 1, "warm_up_s": 0.5, "server_cpu": "0", "load_cpu": "1"},
        "floor": "raw_http",
        "rival": "nginx",
        "servers": {name: {"version": "1", "is_ours": name == "ouro", "is_floor": name == "raw_http"}
                    for name in ("ouro", "raw_http", "nginx", "node")},
        "workloads": {
            "keepalive-64": {**about, "about": "wrk, 64 connections", "metrics": [CPU, BUSY], "busy_percent_min": 99},
            "p99-even": {**about, "about": "half <a> rate", "metrics": [RATE], "rate_share": 0.5},
            "idle": {**about, "about": "not measured here", "metrics": [CPU]},
        },
        "reply_bytes": {"ouro": 134},
        "server_commands": {"ouro": "taskset -c 0 ouro"},
        "load_commands": {"keepalive-64": "wrk"},
        "saturated_rate": 2000,
        "notes": ["h2o is not measured: there is no h2o"],
        "failures": ["p99-even, round 1: a failure"],
        "samples": list(samples.values()),
    }))


# --- the report ----------------------------------------------------------------------------------------


def test_tables_have_medians_spreads_and_ratios() -> None:
    rows = report.table(report.Measured(sample_results()), "keepalive-64")
    assert rows[0] == "| server | CPU µs/request | CPU busy % | ÷ raw_http | ÷ nginx |", rows[0]
    assert rows[2] == ("| ouro | 3.00 (2.00..4.00) | 98 | 1.364 (1.000..2.000) | 0.600 (0.500..0.800) |"), rows[2]
    assert rows[5] == "| node | 16.00 (15.00..20.00) | - | 8.000 (7.500..9.091) | 4.000 (3.000..4.000) |", rows[5]


def test_ratios_are_of_the_same_round_only() -> None:
    results = sample_results()
    results["samples"] = [sample for sample in results["samples"]
                          if not (sample["server"] == "nginx" and sample["round"] == 1)]
    measured = report.Measured(results)
    assert measured.ratios("keepalive-64", "ouro", "nginx", "cpu_us") == [0.5, 0.6]


def test_losses_are_those_in_every_round_and_beyond_the_noise() -> None:
    measured = report.Measured(sample_results())
    lines = report.losses(measured)
    assert len(lines) == 1 and lines[0].startswith("- **ouro against nginx, p99-even, requests/s**"), lines
    assert "10 % worse" in lines[0], lines
    results = sample_results()
    for sample in results["samples"]:  # the floor now differs from itself by a half
        if sample["workload"] == "p99-even" and sample["server"] == "nginx":
            sample["rate"] += 600 * (sample["round"] == 0)
    lines = report.losses(report.Measured(results))
    assert lines[0].startswith("- In nothing") and "can't tell from equal" in lines[1], lines


def test_one_round_shows_nothing() -> None:
    results = sample_results()
    results["samples"] = [sample for sample in results["samples"] if sample["round"] == 0]
    results["settings"]["rounds"] = 1
    assert report.losses(report.Measured(results))[0].startswith("- In nothing")
    assert "**1 round: enough" in report.markdown(results)
    fails(ValueError, report.short, results)


def test_verdicts_know_which_way_is_better() -> None:
    rows = [([1.2, 1.3], 0.1, False, "worse"), ([1.2, 1.3], 0.1, True, "better"), ([0.9, 1.3], 0.1, False, "same"),
            ([1.05, 1.06], 0.1, False, "same"), ([1.05, 1.06], None, False, "worse"), ([1.5], None, False, "same"),
            ([0.5, 0.6], 0.1, True, "worse"), ([], None, False, "same")]
    for ratios, noise, more_is_better, expected in rows:
        assert report.verdict(ratios, noise, more_is_better)[0] == expected, ratios


def test_noise_is_the_floors_or_the_rivals() -> None:
    measured = report.Measured(sample_results())
    assert abs(measured.noise("keepalive-64", "cpu_us") - 0.1) < 1e-9
    assert abs(measured.noise("p99-even", "rate") - 0.01) < 1e-9


def test_the_report_has_all_its_parts() -> None:
    text = report.markdown(sample_results())
    for part in ("Made by `make bench-compare`", "- kernel: Linux 6.1", "## keepalive-64: wrk, 64 connections",
                 "Busy for less than 99 % of the time: ouro.", "50% of 2,000 requests/s.",
                 "queue that grows: node.", "## Where ouro loses", "## Noise", "- failed: p99-even, round 1: a failure",
                 "- h2o is not measured", "| keepalive-64 | CPU µs/request | 10.0 % |"):
        assert part in text, part
    assert "not measured here" not in text


def test_a_report_can_be_made_of_nothing() -> None:
    results = {**sample_results(), "samples": [], "servers": {}}
    assert "# HTTP servers compared" in report.markdown(results)
    assert report.short(results)


def test_curves_need_two_rates_and_end_where_a_server_is_too_slow() -> None:
    data = sample_results()
    assert report.rate_curves(report.Measured(data)) is None
    data["workloads"]["p99-even-75"] = {**data["workloads"]["p99-even"], "rate_share": 0.75}
    for server, rate, p99_us in (("ouro", 1500, 400.0), ("nginx", 1490, 9000.0), ("node", 700, 1e6)):
        data["samples"] += [{"workload": "p99-even-75", "server": server, "round": 0, "rate": rate, "p99_us": p99_us},
                            {"workload": "p99-even", "server": server, "round": 9, "p99_us": p99_us / 2}]
    picture = xml.etree.ElementTree.fromstring(report.rate_curves(report.Measured(data)))
    words = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert {"50%", "75%", "1,000", "ouro", "nginx"} <= set(words) and "node" not in words, words
    with tempfile.TemporaryDirectory() as folder:
        report.write(data, pathlib.Path(folder))
        assert "![p99-over-rate](p99-over-rate.svg)" in (pathlib.Path(folder) / "report.md").read_text()


def test_labels_of_curves_do_not_meet() -> None:
    placed = svg.moved_apart([100.0, 101.0, 101.0, 300.0, 339.0])
    assert all(below - above >= svg.LINE_HEIGHT - 1e-9 for above, below in zip(placed, placed[1:])), placed
    assert placed[-1] <= svg.CURVES_HEIGHT, placed


def test_another_format_is_refused() -> None:
    fails(ValueError, report.markdown, {**sample_results(), "format": 1})


def test_files_are_written_and_plots_are_xml() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report.write(sample_results(), pathlib.Path(folder) / "new")
        names = sorted(path.name for path in (pathlib.Path(folder) / "new").iterdir())
        assert names == ["keepalive-64.svg", "p99-even.svg", "report.md"], names
        roots = [xml.etree.ElementTree.parse(pathlib.Path(folder) / "new" / name).getroot() for name in names[:2]]
        root = roots[0]
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        assert texts[0] == "keepalive-64: CPU µs/request", texts
        # The best first.
        assert texts[2:] == ["raw_http", "2.00", "ouro", "3.00", "nginx", "5.00", "node", "16.00"], texts
        bars = list(root.iter("{http://www.w3.org/2000/svg}rect"))[1:]
        widths = [float(bar.get("width")) for bar in bars]
        assert abs(widths[2] / widths[0] - 2.5) < 0.01, widths
        assert abs(widths[3] / widths[1] - 4) < 0.01, widths  # of 5.33, but broken


def test_the_short_version_goes_between_the_markers_and_only_there() -> None:
    short = report.short(sample_results())
    assert "\n- ouro: p99-even (requests/s): nginx\n" in short, short
    assert "| ouro | 3.00 |" in short and "`make bench-compare` on a <CPU>" in short, short
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    once = report.insert(page, short)
    assert once.startswith(f"before\n{report.BEGIN}\n") and once.endswith(f"{report.END}\nafter\n") and "old" not in once
    assert report.insert(once, short) == once
    for bad in ("none", report.BEGIN, f"{report.END}{report.BEGIN}", page + page):
        fails(ValueError, report.insert, bad, short)


# --- what generators print ----------------------------------------------------------------------------------

WRK = """\
  Latency Distribution
     50%  510.00us
     75%    1.00ms
     99%    1.20ms
  120000 requests in 2.00s, 15.00MB read
  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 5
"""

H2LOAD = """\
finished in 2.00s, 1000.00 req/s, 1.00MB/s
requests: 2100 total, 2000 started, 2000 done, 2000 succeeded, 3 failed, 4 errored, 0 timeout
"""


def test_wrk_is_read() -> None:
    expected = {"requests": 120000, "seconds": 2.0, "errors": 12, "p50_us": 510.0, "p99_us": 1200.0}
    assert generators.read_wrk(WRK) == expected
    fails(Failure, generators.read_wrk, "wrk: unable to connect")


def test_h2load_is_read() -> None:
    assert generators.read_h2load(H2LOAD) == {"requests": 2000, "seconds": 2.0, "errors": 7}
    fails(Failure, generators.read_h2load, "")


def test_ouro_load_is_read() -> None:
    text = ('{"requests": 8, "answered_late": 2, "seconds": 2.0, "errors": {"read": 1, "total": 1}, '
            '"latency_us": {"p50": 5.5, "p99": 9.0}}')
    expected = {"requests": 10, "seconds": 2.0, "errors": 1, "p50_us": 5.5, "p99_us": 9.0}
    assert generators.read_load(text) == expected
    fails(Failure, generators.read_load, "ouro_load: 127.0.0.1:1: Connection refused")


def test_pairs_are_read() -> None:
    assert generators.read_pairs("requests 5 seconds 2.000 rate 2.5\n") == {"requests": 5, "seconds": 2, "rate": 2.5}
    fails(Failure, generators.read_pairs, "cannot connect")


# --- jobs and servers --------------------------------------------------------------------------------------


def server_that_says(reply: bytes) -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(1000)
            connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_a_job_that_is_not_done_is_noticed() -> None:
    def http(body: str) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    good = ((jobs.HELLO, http("x")), (jobs.JSON, http('{"message": "Hello, World!"}')), (jobs.UPLOAD, http("5")),
            (jobs.ECHO, b"hello\n"))
    bad = ((jobs.HELLO, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), (jobs.HELLO, b""),
           (jobs.JSON, http('{"message":"Hello"}')), (jobs.UPLOAD, http("4")), (jobs.ECHO, b"HELLO\n"))
    for job, reply in good:
        assert jobs.check(server_that_says(reply), job) == len(reply)
    for job, reply in bad:
        fails(Failure, jobs.check, server_that_says(reply), job)


def test_every_workload_has_servers_and_every_job_a_workload() -> None:
    for name, workload in workloads.WORKLOADS.items():
        able = [server for server in servers.SERVERS.values() if workload.job in server.jobs]
        assert len(able) > 3 and able[0].is_ours, name
    assert set(workloads.SHORT) <= set(workloads.WORKLOADS)
    assert {workload.job for workload in workloads.WORKLOADS.values()} == set(jobs.JOBS)


def test_lists_of_cpus_are_read() -> None:
    assert facts.cpu_list("0-2,5") == {0, 1, 2, 5} and facts.cpu_list("3") == {3} and facts.cpu_list("") == set()


def test_cpus_are_chosen_among_the_allowed() -> None:
    allowed = {str(cpu) for cpu in os.sched_getaffinity(0)}
    chosen = facts.three_cpus()
    assert set(chosen) <= allowed and len(set(chosen)) == min(3, len(allowed)), chosen


def test_processes_are_found_with_their_children() -> None:
    assert os.getpid() in servers.with_descendants(os.getppid())
    assert servers.cpu_ns(os.getpid()) > 0 and servers.resident_kib(os.getpid()) > 0


# --- running them ---------------------------------------------------------------------------------------------


def fails(error: type, function, *arguments) -> None:
    try:
        function(*copy.deepcopy(arguments))
    except error:
        return
    raise AssertionError(f"{function.__name__} did not fail")


def run() -> int:
    failed = 0
    tests = {name: test for name, test in globals().items() if name.startswith("test_")}
    for name, test in tests.items():
        try:
            test()
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}")
    print(f"{len(tests) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0

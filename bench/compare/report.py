# SPDX-License-Identifier: MIT
"""
report - from all that was measured, as one JSON, to Markdown; measures nothing

The JSON says what its numbers mean (workloads, metrics, servers), so that a report can be made of
an old one by a later version of this, and of a small one in a test.

Ratios are of two servers within one round; of these the median, the lowest and the highest are told.
A difference counts as one if it has the same sign in every round, and is larger than what the floor
differs from itself from round to round.
"""

import pathlib
import statistics
from typing import Iterator

from . import svg

FORMAT = 2
ROUNDS_MIN = 3  # below which numbers show that everything runs, and nothing else
BEGIN, END = "<!-- compare: begin -->", "<!-- compare: end -->"


class Measured:
    """All that a JSON has, with what can be asked of it."""

    def __init__(self, data: dict):
        if data.get("format") != FORMAT:
            raise ValueError(f"not a result of http_compare of format {FORMAT}")
        self.data = data
        self.floor = data["floor"]
        self.rival = data["rival"]
        self.servers: dict[str, dict] = data["servers"]
        self.workloads = {name: workload for name, workload in data["workloads"].items()
                          if any(sample["workload"] == name for sample in data["samples"])}

    @property
    def ours(self) -> list[str]:
        return [name for name, server in self.servers.items() if server["is_ours"]]

    @property
    def others(self) -> list[str]:
        """Neither ours nor floors."""
        return [name for name, server in self.servers.items() if not server["is_ours"] and not server["is_floor"]]

    def values(self, workload: str, server: str, key: str) -> dict[int, float]:
        """By round."""
        return {sample["round"]: sample[key] for sample in self.data["samples"]
                if sample["workload"] == workload and sample["server"] == server and key in sample}

    def median(self, workload: str, server: str, key: str) -> float | None:
        values = self.values(workload, server, key)
        return statistics.median(values.values()) if values else None

    def ratios(self, workload: str, server: str, other: str, key: str) -> list[float]:
        mine, others = self.values(workload, server, key), self.values(workload, other, key)
        return [mine[index] / others[index] for index in mine if others.get(index)]

    def measured(self, workload: str) -> list[str]:
        """The servers that the workload was measured with."""
        names = {sample["server"] for sample in self.data["samples"] if sample["workload"] == workload}
        return [name for name in self.servers if name in names]

    def noise(self, workload: str, key: str) -> float | None:
        """How far the floor, or else the rival or whoever is first, is from itself, as a part of its median."""
        known = self.measured(workload)
        for name in [self.floor, self.rival, *known]:
            values = list(self.values(workload, name, key).values())
            if len(values) > 1 and statistics.median(values):
                return (max(values) - min(values)) / statistics.median(values)
        return None


# --- numbers -----------------------------------------------------------------------------------------


def number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}"


def with_spread(values: list[float], digits: int) -> str:
    if not values:
        return "-"
    middle = number(statistics.median(values), digits)
    if len(values) == 1:
        return middle
    return f"{middle} ({number(min(values), digits)}..{number(max(values), digits)})"


def table(measured: Measured, workload: str) -> list[str]:
    metrics = measured.workloads[workload]["metrics"]
    compared = [metric for metric in metrics if metric["is_compared"]]
    titles = ["server"] + [metric["title"] for metric in metrics]
    for metric in compared:
        prefix = f"{metric['title']} " if len(compared) > 1 else ""
        titles += [f"{prefix}÷ {measured.floor}", f"{prefix}÷ {measured.rival}"]
    rows = [titles, ["---"] + ["---:"] * (len(titles) - 1)]
    for server in measured.measured(workload):
        row = [server]
        for metric in metrics:
            values = list(measured.values(workload, server, metric["key"]).values())
            if not metric["is_compared"]:
                values = [statistics.median(values)] if values else []
            row.append(with_spread(values, metric["digits"]))
        for metric in compared:
            row += [with_spread(measured.ratios(workload, server, other, metric["key"]), 3)
                    for other in (measured.floor, measured.rival)]
        rows.append(row)
    return ["| " + " | ".join(row) + " |" for row in rows]


# --- who loses where ---------------------------------------------------------------------------------


def verdict(ratios: list[float], noise: float | None, more_is_better: bool) -> tuple[str, float]:
    """What the ratios ours/theirs say: `worse`, `better` or `same`; and by how much ours is worse."""
    worse = [1 / ratio - 1 if more_is_better else ratio - 1 for ratio in ratios if ratio]
    if not worse:
        return "same", 0
    middle = statistics.median(worse)
    is_clear = len(worse) > 1 and min(worse) * max(worse) > 0 and abs(middle) > (noise or 0)
    if not is_clear:
        return "same", middle
    return ("worse" if middle > 0 else "better"), middle


def comparisons(measured: Measured, ours: str, rivals: list[str]) -> Iterator[tuple]:
    """workload, metric, the other one, verdict, by how much ours is worse, the ratios."""
    for workload, about in measured.workloads.items():
        for metric in about["metrics"]:
            if not metric["is_compared"]:
                continue
            noise = measured.noise(workload, metric["key"])
            for other in rivals:
                ratios = measured.ratios(workload, ours, other, metric["key"])
                if ratios:
                    yield (workload, metric, other, *verdict(ratios, noise, metric["more_is_better"]), ratios)


def losses(measured: Measured) -> list[str]:
    lines, unclear = [], []
    for ours in measured.ours:
        for workload, metric, other, how, by, ratios in comparisons(measured, ours, measured.others):
            what = f"{ours} against {other}, {workload}, {metric['title']}"
            if how == "worse":
                lines.append(f"- **{what}**: ratio {with_spread(ratios, 3)}, {100 * by:.0f} % worse")
            elif by > 0:
                unclear.append(f"- {what}: ratio {with_spread(ratios, 3)}, which these rounds can't tell from equal")
    if not lines:
        lines = ["- In nothing that these rounds can tell from equal."]
    return lines + unclear


def floor_distances(measured: Measured) -> list[str]:
    lines = []
    for ours in measured.ours:
        for workload, metric, _, how, by, ratios in comparisons(measured, ours, [measured.floor]):
            lines.append(f"- {ours}, {workload}, {metric['title']}: {with_spread(ratios, 3)} of {measured.floor}"
                         + ("" if how != "better" else ", which does less: look for the reason"))
    return lines or [f"- {measured.floor} was not measured."]


# --- the parts of a report -----------------------------------------------------------------------------


def introduction(measured: Measured) -> list[str]:
    data = measured.data
    lines = ["# HTTP servers compared", "", f"Made by `{data['command']}`.", ""]
    lines += [f"- {name}: {fact}" for name, fact in data["machine"].items()]
    lines += ["", f"Servers on CPU {data['settings']['server_cpu']}, load on CPU {data['settings']['load_cpu']}. "
              "One worker each; each server is started anew for each measurement, and each round begins with "
              "another one. CPU time is that of all threads, as the scheduler has counted it.", "",
              "| server | version | reply bytes | command |", "|---|---|---:|---|"]
    for name, server in measured.servers.items():
        command = data["server_commands"].get(name, "")
        lines.append(f"| {name} | {server['version']} | {data['reply_bytes'].get(name, '-')} | `{command}` |")
    return lines + [""] * bool(data["notes"]) + [f"- {text}" for text in data["notes"]]


def workload_section(measured: Measured, name: str, plots: dict[str, str]) -> list[str]:
    workload, data = measured.workloads[name], measured.data
    lines = ["", f"## {name}: {workload['about']}", ""]
    if name in plots:
        lines += [f"![{name}]({name}.svg)", ""]
    if name in data["load_commands"]:
        lines += [f"`{data['load_commands'][name]}`", ""]
    if workload["rate_share"] and data["saturated_rate"]:
        lines += [f"{workload['rate_share']:.0%} of {data['saturated_rate']:,.0f} requests/s.", ""]
    if workload["closes"]:
        lines += ["The floors, which do not read requests, are started with --close.", ""]
    return lines + table(measured, name) + idlers(measured, name) + overloaded(measured, name)


def idlers(measured: Measured, name: str) -> list[str]:
    """Which servers were not as busy as the workload wants them."""
    least = measured.workloads[name]["busy_percent_min"]
    found = [server for server in measured.measured(name)
             if (measured.median(name, server, "busy_percent") or 100) < least]
    return ["", f"Busy for less than {least} % of the time: {', '.join(found)}."] if found else []


def too_slow(measured: Measured, name: str) -> list[str]:
    """Which servers could not keep up with a fixed rate."""
    wanted = (measured.data["saturated_rate"] or 0) * measured.workloads[name]["rate_share"]
    return [server for server in measured.measured(name)
            if (measured.median(name, server, "rate") or 0) < 0.95 * wanted]


def overloaded(measured: Measured, name: str) -> list[str]:
    found = too_slow(measured, name)
    return ["", "Too slow for this rate, so that their latencies are those of a queue that grows: "
            f"{', '.join(found)}."] if found else []


def noise_section(measured: Measured) -> list[str]:
    rounds = measured.data["settings"]["rounds"]
    lines = ["", "## Noise", "",
             f"Rounds: {rounds}, of {measured.data['settings']['seconds']} s of load for each measurement. "
             f"What {measured.floor} (where it was measured, else {measured.rival} or the first server) differs from "
             "itself, highest minus lowest round, as a part of its median. A difference between servers that is smaller "
             "is none.", "",
             "| workload | metric | spread |", "|---|---|---:|"]
    for name, workload in measured.workloads.items():
        for metric in workload["metrics"]:
            noise = measured.noise(name, metric["key"]) if metric["is_compared"] else None
            if noise is not None:
                lines.append(f"| {name} | {metric['title']} | {100 * noise:.1f} % |")
    if rounds < ROUNDS_MIN:
        lines += ["", f"**{rounds} round{'' if rounds == 1 else 's'}: enough to see that everything runs, "
                  "and for nothing else.**"]
    lines += ["", "Where a server is busy for much less than 100 % of its CPU, the load was the limit: its requests/s say "
              "nothing then, its CPU time does."]
    lines += ["", "The load's own CPU, and a machine that other guests share, are not under our control: repeat it, and "
              "compare ratios rather than times."]
    return lines + [""] * bool(measured.data["failures"]) + [f"- failed: {text}" for text in measured.data["failures"]]


def loss_section(measured: Measured) -> list[str]:
    return ["", "## Where ouro loses", "",
            "Against each server that is no floor; a line in bold is worse in every round, and by more than the noise.",
            "", *losses(measured), "", f"Against the floor, which parses nothing:", "", *floor_distances(measured)]


# --- plots -----------------------------------------------------------------------------------------


def plot(measured: Measured, name: str) -> str | None:
    """Of the first metric that is compared."""
    workload = measured.workloads[name]
    metric = next((metric for metric in workload["metrics"] if metric["is_compared"]), None)
    if not metric:
        return None
    rows = []
    for server in measured.measured(name):
        values = list(measured.values(name, server, metric["key"]).values())
        if not values:
            continue
        middle, about = statistics.median(values), measured.servers[server]
        colour = svg.OURS if about["is_ours"] else svg.FLOOR if about["is_floor"] else svg.OTHERS
        rows.append(svg.Bar(server, middle, min(values), max(values), number(middle, metric["digits"]), colour))
    rows.sort(key=lambda bar: bar.value, reverse=metric["more_is_better"])
    direction = "more" if metric["more_is_better"] else "less"
    return svg.bars(f"{name}: {metric['title']}", f"{workload['about']}; {direction} is better; grey: floors", rows)


# The workloads of one curve, at an even rate of other shares; and its picture.
CURVE = "p99-even"
CURVES = "p99-over-rate"


def rate_curves(measured: Measured) -> str | None:
    """p99 over the rate, of all servers at all rates that they keep up with; None for a single rate."""
    shares = {name: about["rate_share"] for name, about in measured.workloads.items()
              if (name == CURVE or name.startswith(CURVE + "-")) and measured.measured(name)}
    if len(shares) < 2:
        return None
    rows = []
    for server, about in measured.servers.items():
        points = [(share, statistics.median(values)) for name, share in shares.items()
                  if server not in too_slow(measured, name)
                  and (values := list(measured.values(name, server, "p99_us").values()))]
        colour = svg.OURS if about["is_ours"] else svg.FLOOR if about["is_floor"] else svg.OTHERS
        if points:
            rows.append(svg.Curve(server, sorted(points), colour))
    return svg.curves("p99 µs over the rate", f"share of what saturates {measured.rival}; less is better; grey: floors; "
                      "a curve ends where its server is too slow", ".0%", rows) if rows else None


def curve_section(plots: dict[str, str]) -> list[str]:
    return ["", "## Latency over the rate", "", f"![{CURVES}]({CURVES}.svg)"] if CURVES in plots else []


# --- the whole ---------------------------------------------------------------------------------------


def markdown(data: dict, plots: dict[str, str] = {}) -> str:
    measured = Measured(data)
    lines = introduction(measured)
    for name in measured.workloads:
        lines += workload_section(measured, name, plots)
    lines += curve_section(plots)
    lines += loss_section(measured) + noise_section(measured)
    return "\n".join(lines) + "\n"


def write(data: dict, folder: pathlib.Path) -> None:
    """report.md with its plots."""
    measured = Measured(data)
    drawn = {name: plot(measured, name) for name in measured.workloads}
    drawn[CURVES] = rate_curves(measured)
    plots = {name: text for name, text in drawn.items() if text}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in plots.items():
        (folder / f"{name}.svg").write_text(text)
    (folder / "report.md").write_text(markdown(data, plots))


# Workload, metric, title: the columns of the short version, as far as they were measured.
SHORT_COLUMNS = (
    ("keepalive-64", "cpu_us", "keep-alive, CPU µs"),
    ("pipeline-64", "cpu_us", "pipelined, CPU µs"),
    ("connect", "cpu_us", "short connection, CPU µs"),
    ("json", "cpu_us", "JSON, CPU µs"),
    ("echo", "cpu_us", "echo, CPU µs"),
    ("syscalls", "calls", "system calls"),
    ("idle", "kib", "KiB per idle connection"),
    ("p99-even", "p99_us", "p99 µs at a fixed rate"),
)


def short(data: dict) -> str:
    """For README and docs: one table, who is better where, and how it was made."""
    if data["settings"]["rounds"] < ROUNDS_MIN:
        raise ValueError(f"{data['settings']['rounds']} rounds are too few for others to read")
    measured = Measured(data)
    columns = [column for column in SHORT_COLUMNS if column[0] in measured.workloads]
    rows = [["per request"] + [title for _, _, title in columns], ["---"] + ["---:"] * len(columns)]
    for server in measured.servers:
        cells = [short_cell(measured, server, workload, key) for workload, key, _ in columns]
        if any(cell != "-" for cell in cells):
            rows.append([server] + cells)
    facts = data["machine"]
    return "\n".join([
        f"`{data['command']}` on {facts.get('CPU')}, {facts.get('kernel')}, commit {facts.get('commit')}; "
        f"medians of {data['settings']['rounds']} rounds, a CPU and a worker each, the load on another CPU:", "",
        *("| " + " | ".join(row) + " |" for row in rows), "",
        "raw_http, raw_epoll and the program on libuv parse nothing; the former two are the floor.", "", *short_losses(measured), ""])


def short_losses(measured: Measured) -> list[str]:
    lines = []
    for ours in measured.ours:
        where: dict[str, list[str]] = {}
        for workload, metric, other, how, _, _ in comparisons(measured, ours, measured.others):
            if how == "worse":
                where.setdefault(f"{workload} ({metric['title']})", []).append(other)
        if where:
            lines.append(f"- {ours}: " + "; ".join(f"{what}: {', '.join(to)}" for what, to in where.items()))
    return ["Who is better than ours in every round, and by more than the noise:", "", *lines] if lines else [
        "No server is better in every round, and by more than the noise."]


def short_cell(measured: Measured, server: str, workload: str, key: str) -> str:
    metrics = measured.workloads[workload]["metrics"]
    digits = next((metric["digits"] for metric in metrics if metric["key"] == key), 2)
    value = measured.median(workload, server, key)
    return "-" if value is None or server in too_slow(measured, workload) else number(value, min(digits, 2))


def insert(text: str, short_version: str) -> str:
    """`text` with the short version between the markers, in place of what was there."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"needs {BEGIN} and {END}, once each, in this order")
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + short_version.rstrip("\n") + "\n" + END + rest.partition(END)[2]

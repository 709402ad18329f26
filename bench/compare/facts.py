# SPDX-License-Identifier: MIT
"""
facts - the machine, the versions, the commit: what a number is worth nothing without
"""

import os
import pathlib
import re
import shutil
import subprocess

from .servers import PROGRAM_PATH

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
TOOLS = (("wrk", "-v"), ("h2load", "--version"), ("perf", "--version"))


def machine() -> dict[str, str]:
    cpu = re.search(r"^model name\s*: (.*)", read("/proc/cpuinfo"), re.M)
    facts = {
        "CPU": f"{cpu[1] if cpu else os.uname().machine}, {os.cpu_count()} CPUs, "
               f"{len(os.sched_getaffinity(0))} of them allowed{hypervisor()}",
        "kernel": f"Linux {os.uname().release}",
        "mitigations": "off" if "mitigations=off" in read("/proc/cmdline") else "the kernel's defaults",
        "frequency governor": read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "unknown",
        "congestion control": read("/proc/sys/net/ipv4/tcp_congestion_control") or "unknown",
        "system": next(iter(re.findall(r'^PRETTY_NAME="?([^"\n]*)', read("/etc/os-release"), re.M)), "unknown"),
        "compiler": output("gcc", "--version"),
        "commit": commit(),
        "load before": read("/proc/loadavg"),
    }
    for program, option in TOOLS:
        facts[program] = output(program, option)
    return facts


def three_cpus() -> tuple[str, str, str]:
    """
    For the server, for the load, and for a kernel's thread that works for the server: as far as
    it can be had, not two threads of one core, and not one CPU twice. With two CPUs the
    third is the load's.
    """
    allowed = sorted(os.sched_getaffinity(0))
    chosen = allowed[:1]
    for _ in range(2):
        near = {sibling for cpu in chosen for sibling in siblings(cpu)}
        free = [cpu for cpu in allowed if cpu not in chosen]
        chosen += ([cpu for cpu in free if cpu not in near] or free or chosen[-1:])[:1]
    return str(chosen[0]), str(chosen[1]), str(chosen[2])


def siblings(cpu: int) -> set[int]:
    return cpu_list(read(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))


def cpu_list(text: str) -> set[int]:
    """What "0-2,5" stands for."""
    cpus: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        cpus |= set(range(int(first), int(last or first) + 1))
    return cpus


def read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def hypervisor() -> str:
    return ", virtual" if re.search(r"^flags\s*:.*\bhypervisor\b", read("/proc/cpuinfo"), re.M) else ""


def commit() -> str:
    name = output("git", "-C", str(TOP), "describe", "--always", "--abbrev=12", "--exclude=*")
    if not re.fullmatch("[0-9a-f]+", name):  # not a clone, or not ours
        return "unknown"
    changed = output("git", "-C", str(TOP), "status", "--porcelain", "--untracked-files=no")
    return name + (" with changes" if changed else "")


def output(program: str, *arguments: str) -> str:
    """The first line that a program prints."""
    path = shutil.which(program, path=PROGRAM_PATH)
    if not path:
        return "not there"
    done = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return next(iter(done.stdout.splitlines()), "").strip()


def package_version(package: str) -> str:
    """Of Debian's package, or of the program where that came from elsewhere."""
    version = output("dpkg-query", "-W", "-f=${Version}", package)
    return version if version and " " not in version else "unknown"

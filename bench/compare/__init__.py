# SPDX-License-Identifier: MIT
"""
compare - the parts of bench/http_compare.py

jobs.py         what a server is to do, and how to see that it does it
servers.py      how each server is started for a job; its processes, CPU time and memory
generators.py   the load, and what its programs print
workloads.py    job, load and metrics together: what there is to measure
facts.py        the machine, the versions
report.py       from all that was measured, as one JSON, to Markdown; measures nothing
svg.py          bars and curves
peers/          the servers that are not packages: programs on libuv, Node, Python, Go
"""

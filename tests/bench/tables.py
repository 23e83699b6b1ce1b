#!/usr/bin/env python3
"""The tables of README.md from the figures that bench.py --json has written: tables.py FILE.json"""

import json
import sys

from targets import copied, find, is_met

NAMES = {"waypipe-none": "waypipe none", "waypipe-lz4": "waypipe lz4", "portal-copy": "portal, copied"}


def number(value):
    """Three digits of what is small, whole numbers of what is large."""
    if value is None:
        return ""
    if 0 < abs(value) < 0.001:
        return f"{value:.6f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(titles, rows, words):
    """Lines of a table whose first `words` columns are text."""
    yield f"| {' | '.join(titles)} |"
    yield f"|{'---|' * words}{'---:|' * (len(titles) - words)}"
    for row in rows:
        yield f"| {' | '.join(each if isinstance(each, str) else number(each) for each in row)} |"
    yield ""


def machine(figures):
    about = figures["machine"]
    yield (
        f"Measured on {about['date']}: {about['cpu']}, {about['cpus']} processors, Linux"
        f" {about['kernel']}, load {about['load_before']:.1f} before and {about['load_after']:.1f}"
        f" after. {figures['seconds']:g} s for each run, the best of {figures['repeat']}."
    )
    yield ""


def matrix(rows):
    def cells(row):
        unit = row["unit_us"]
        yield from (row["size"].replace("x", "×"), row["damage"].replace("x", "×"))
        yield from (row["compositor"], NAMES.get(row["path"], row["path"]))
        if "failure" in row:
            yield "failed"
            return
        yield from (unit, row["p50_us"], row["p99_us"], row["fps"], row["cpu_us"])
        full = row["damage"] == "full"
        yield from (row["p50_us"] / unit, row["cpu_us"] / unit) if full else ("", "")
        yield row.get("sent_ratio")
        yield row["resident_kib"] / 1024 if row["path"] != "native" else ""

    titles = ["size", "damage", "buffers", "path", "memcpy µs", "p50 µs", "p99 µs", "frames/s"]
    titles += ["CPU µs", "p50, memcpys", "CPU, memcpys", "sent/damaged byte", "MiB"]
    yield from table(titles, map(cells, rows), 4)


def counted(rows):
    def cells(row):
        same = {key: row[key] for key in ["damage", "compositor"]}
        yield from (row["damage"].replace("x", "×"), row["compositor"])
        for path in ["portal", "waypipe-none", "waypipe-lz4"]:
            yield (find(rows, path=path, **same) or {}).get("channel_bytes")
        yield from (copied(row) / row["damaged_bytes"], row["own_copied_ratio"])
        yield from (row["agent_allocations"], row["bridge_allocations"], row["minor_faults"])

    titles = ["damage", "buffers", "bytes on the channel: portal", "waypipe none", "waypipe lz4"]
    titles += ["copied by Portal, of the damage", "by Portal's own count"]
    titles += ["allocations of the agent's libraries", "of the bridge's", "page faults in all"]
    ours = [row for row in rows if row["path"] == "portal" and "failure" not in row]
    yield from table(titles, map(cells, ours), 2)


def scaling(rows, calls):
    def cells(row):
        same = {key: row[key] for key in ["windows", "guests"]}
        called = find(calls, **same) or {}
        yield from (row["windows"], row["guests"])
        yield from (called.get("agent_total"), called.get("bridge_total"))
        yield from (row["messages"], copied(row), row["wakeups"], row["carrier_cpu_us"])

    titles = ["windows of each", "guests", "system calls of the agents", "of the bridges", "messages"]
    titles += ["copied bytes", "wake-ups", "CPU of agents and bridges, µs"]
    yield from table(titles, map(cells, rows), 0)


def others(figures):
    titles = ["on 60 Hz", "commits/s", "frames shown/s", "bytes copied/s", "CPU of agent and bridge, µs/s"]
    names = ["commits", "frames", "copied_bytes", "cpu_us"]
    rows = [[kind, *(row[name] for name in names)] for kind, row in figures["pacing"].items()]
    yield from table(titles, rows, 1)
    titles = ["a further window of 1920×1080", "KiB", "its heap buffers, KiB"]
    rows = [[row["compositor"], row["kib"], row["buffers"] * row["buffer_kib"]] for row in figures["memory"]]
    yield from table(titles, rows, 1)
    idle = figures["idle"]
    yield f"Idle for {idle['seconds']:g} s: {idle['wakeups']} wake-ups of agent and bridge."
    yield ""


def targets(found):
    """Those of times; of the others, all of which are counts, only what is missed."""
    timed = [each for each in found if ": added " in each["name"]]
    counts = [each for each in found if each not in timed]
    missed = [each for each in counts if not is_met(each)]
    rows = [[each["name"], each["value"], each["limit"]] for each in timed + missed]
    yield from table(["target", "measured", "at most"], rows, 1)
    yield f"Of {len(counts)} targets that are counts, {len(counts) - len(missed)} are met."


def main(path):
    with open(path) as file:
        figures = json.load(file)
    for lines in [
        machine(figures),
        matrix(figures["matrix"]),
        counted(figures["counted"]),
        scaling(figures["scaling"], figures["calls"]),
        others(figures),
        targets(figures["targets"]),
    ]:
        print(*lines, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

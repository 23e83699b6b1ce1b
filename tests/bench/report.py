"""The benchmark's figures as tables, and against what they must reach."""

import os
import platform


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {"cpu": models[0] if models else "", "cpus": os.cpu_count(), "kernel": platform.release()}


def print_head():
    print(
        f"{'size':>10} {'damage':>6} {'buffers':>8} {'path':<13} {'p50 µs':>8} {'p99 µs':>8}"
        f" {'fps':>7} {'CPU µs':>8} {'p50/copy':>8} {'CPU/copy':>8} {'torn':>4}",
        flush=True,
    )


def print_row(row):
    head = f"{row['size']:>10} {row['damage']:>6} {row['compositor']:>8} {row['path']:<13}"
    if "failure" in row:
        print(f"{head} {row['failure'].splitlines()[0]}", flush=True)
        return
    unit = row["unit_us"]
    print(
        f"{head} {row['p50_us']:8.0f} {row['p99_us']:8.0f} {row['fps']:7.0f} {row['cpu_us']:8.0f}"
        f" {row['p50_us'] / unit:8.2f} {row['cpu_us'] / unit:8.2f} {row['torn']:4}",
        flush=True,
    )


def _copied(row):
    return row["agent_copied_bytes"] + row["bridge_copied_bytes"]


def _own_allocations(row):
    return row["agent_own_allocations"] + row["bridge_own_allocations"]


def _print_counted(rows):
    print("\nA frame of 1920x1080: bytes on the channel and copied, allocations")
    for row in rows:
        head = f"{row['damage']:>6} {row['compositor']:>8} {row['path']:<13}"
        if "failure" in row:
            print(head, row["failure"].splitlines()[0])
            continue
        damaged = row["damaged_bytes"]
        text = f"{head} channel {row['channel_bytes']:10.0f} ({row['channel_bytes'] / damaged:.4f})"
        if "agent_copied_bytes" in row:
            text += f"  copied {_copied(row) / damaged:.3f} of the damage"
            text += f" (by its own count {row['own_copied_ratio']:.3f})"
            for name in ["agent", "bridge"]:
                own, others = row[f"{name}_own_allocations"], row[f"{name}_allocations"]
                text += f", {name} {own:.2f} allocations (its libraries {others:.2f})"
            text += f", {row['minor_faults']} faults in all"
        print(text)


def _print_calls(rows):
    print("\nSystem calls a frame (strace)")
    for row in rows:
        print(f"{row['windows']:>3} windows: agent {row['agent_total']:.1f}, ", end="")
        print(f"bridge {row['bridge_total']:.1f}")
        for name in ["agent", "bridge"]:
            calls = ", ".join(f"{call} {n:.2f}" for call, n in row[name].items() if n >= 0.01)
            print(f"      {name}: {calls}")


def _print_scaling(rows):
    print("\nMany windows, many guests: a frame of 64x64")
    for row in rows:
        print(
            f"{row['windows']:>3} windows {row['guests']} guests: {row['fps']:7.0f} fps, "
            f"CPU {row['carrier_cpu_us']:.0f} µs, {row['messages']:.2f} messages, "
            f"copied {_copied(row):.0f} bytes, "
            f"{row['wakeups']:.2f} wake-ups, "
            f"{_own_allocations(row):.2f} allocations"
        )


def print_rest(figures):
    if "counted" in figures:
        _print_counted(figures["counted"])
    if "calls" in figures:
        _print_calls(figures["calls"])
    if "scaling" in figures:
        _print_scaling(figures["scaling"])
    if "pacing" in figures:
        print("\nA compositor of 60 Hz, a second of a 64x64 animation")
        for name, row in figures["pacing"].items():
            print(
                f"  {name}: {row['commits']:.0f} commits, {row['frames']:.0f} frames shown, {row['copied_bytes']:.0f} bytes "
                f"copied, CPU of agent and bridge {row['cpu_us']:.0f} µs"
            )
    if "idle" in figures:
        idle = figures["idle"]
        print(f"\nIdle for {idle['seconds']} s: {idle['wakeups']} wake-ups, {idle['cpu_us']} µs")
    if "memory" in figures:
        memory = figures["memory"]
        print(
            f"\nA further window: {memory['private_kib']:.0f} KiB private, "
            f"{memory['shared_kib']:.0f} KiB of heap (a buffer has {memory['buffer_kib']:.0f})"
        )


def _find(rows, **wanted):
    for row in rows:
        if all(row.get(key) == value for key, value in wanted.items()) and "failure" not in row:
            return row
    return None


def _matrix_targets(rows):
    for compositor in ["release", "hold"]:
        full = {"size": "1920x1080", "damage": "full", "compositor": compositor}
        native, portal = (_find(rows, path=path, **full) for path in ["native", "portal"])
        if native and portal:
            unit = portal["unit_us"]
            added = (portal["p50_us"] - native["p50_us"]) / unit
            yield f"full 1080p, {compositor}: added latency, memcpys", added, 1.3
            cpu = (portal["cpu_us"] - native["cpu_us"]) / unit
            yield f"full 1080p, {compositor}: added CPU, memcpys", cpu, 1.5
    for size in ["640x480", "1920x1080", "3840x2160"]:
        for compositor in ["release", "hold"]:
            small = {"size": size, "damage": "64x64", "compositor": compositor}
            found = {
                path: _find(rows, path=path, **small)
                for path in ["native", "portal", "waypipe-none", "waypipe-lz4"]
            }
            native, portal = found.pop("native"), found.pop("portal")
            if native and portal:
                waypipes = [row["p50_us"] - native["p50_us"] for row in found.values() if row]
                limit = max([100] + ([min(waypipes) / 3] if waypipes else []))
                added = portal["p50_us"] - native["p50_us"]
                yield f"64x64 of {size}, {compositor}: added latency, µs", added, limit


def _counted_targets(rows):
    for row in rows:
        if row["path"] != "portal" or "failure" in row:
            continue
        where = f"{row['damage']}, {row['compositor']}"
        limit = 1.1 if row["compositor"] == "release" else 2.1
        yield f"{where}: copied of the damage", _copied(row) / row["damaged_bytes"], limit
        yield f"{where}: allocations a frame", _own_allocations(row), 0
        yield f"{where}: page faults in all", row["minor_faults"], 0


def _other_targets(figures):
    if "idle" in figures:
        yield "wake-ups while idle", figures["idle"]["wakeups"], 0
    if "memory" in figures:
        yield "private KiB of a window", figures["memory"]["private_kib"], 1024


def print_targets(figures):
    """Each target of the design with what was measured; returns them."""
    found = list(_matrix_targets(figures.get("matrix", [])))
    found += list(_counted_targets(figures.get("counted", [])))
    found += list(_other_targets(figures))
    print("\nTargets")
    for name, value, limit in found:
        print(f"  {'met ' if value <= limit else 'MISSED'} {name}: {value:.2f} (at most {limit:.2f})")
    return [{"name": name, "value": value, "limit": limit} for name, value, limit in found]

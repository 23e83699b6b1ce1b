"""The benchmark's figures as they come, and what they must reach, printed."""

import os
import platform
import time

from targets import copied, is_met, own_allocations


def machine():
    with open("/proc/cpuinfo") as file:
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": models[0] if models else "",
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
    }


def print_head():
    print(
        f"{'size':>10} {'damage':>6} {'buffers':>8} {'path':<13} {'copy µs':>8} {'p50 µs':>8}"
        f" {'p99 µs':>8} {'fps':>7} {'CPU µs':>8} {'p50/copy':>8} {'CPU/copy':>8} {'sent':>7}"
        f" {'MiB':>5} {'torn':>4}",
        flush=True,
    )


def print_row(row):
    head = f"{row['size']:>10} {row['damage']:>6} {row['compositor']:>8} {row['path']:<13}"
    if "failure" in row:
        print(f"{head} {row['failure'].splitlines()[0]}", flush=True)
        return
    unit = row["unit_us"]
    print(
        f"{head} {unit:8.0f} {row['p50_us']:8.0f} {row['p99_us']:8.0f} {row['fps']:7.0f}"
        f" {row['cpu_us']:8.0f} {row['p50_us'] / unit:8.2f} {row['cpu_us'] / unit:8.2f}"
        f" {row.get('sent_ratio', 0):7.4f} {row['resident_kib'] / 1024:5.0f} {row['torn']:4}",
        flush=True,
    )


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
            text += f"  copied {copied(row) / damaged:.3f} of the damage"
            text += f" (by its own count {row['own_copied_ratio']:.3f})"
            for name in ["agent", "bridge"]:
                own, others = row[f"{name}_own_allocations"], row[f"{name}_allocations"]
                text += f", {name} {own:.2f} allocations (its libraries {others:.2f})"
            text += f", {row['minor_faults']} faults in all"
        print(text)


def _print_calls(rows):
    print("\nSystem calls a frame (strace)")
    for row in rows:
        print(f"{row['windows']:>3} windows {row['guests']} guests: ", end="")
        print(f"agent {row['agent_total']:.1f}, bridge {row['bridge_total']:.1f}")
        for name in ["agent", "bridge"]:
            calls = ", ".join(f"{call} {n:.2f}" for call, n in row[name].items() if n >= 0.01)
            print(f"      {name}: {calls}")


def _print_scaling(rows):
    print("\nMany windows, many guests: a frame of 64x64")
    for row in rows:
        print(
            f"{row['windows']:>3} windows {row['guests']} guests: {row['fps']:7.0f} fps, "
            f"CPU {row['carrier_cpu_us']:.0f} µs, {row['messages']:.2f} messages, "
            f"copied {copied(row):.0f} bytes, "
            f"{row['wakeups']:.2f} wake-ups, "
            f"{own_allocations(row):.2f} allocations"
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
                f"  {name}: {row['commits']:.0f} commits, {row['frames']:.0f} frames shown, "
                f"{row['copied_bytes']:.0f} bytes copied, CPU of agent and bridge {row['cpu_us']:.0f} µs"
            )
    if "idle" in figures:
        idle = figures["idle"]
        print(f"\nIdle for {idle['seconds']} s: {idle['wakeups']} wake-ups, {idle['cpu_us']} µs")
    for memory in figures.get("memory", []):
        print(
            f"\nA further window, {memory['compositor']}: {memory['kib']:.0f} KiB, among them"
            f" {memory['buffers']} buffers of {memory['buffer_kib']:.0f}"
        )


def print_targets(targets):
    print("\nTargets")
    for each in targets:
        print(
            f"  {'met ' if is_met(each) else 'MISSED'} {each['name']}: {each['value']:.2f}"
            f" (at most {each['limit']:.2f})"
        )

#!/usr/bin/env python3
"""The benchmark: `meson test --benchmark`, or bench.py --help. Figures and their meaning: README.md."""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time

import paths
import report
import targets
from calls import Calls
from processes import Usage, resident

SIZES = [(640, 480), (1920, 1080), (3840, 2160)]
SMALL = (64, 64)
APPLICATIONS = "memfd:generator"  # buffers: nobody else's memory
MANY = [(1, 1), (4, 1), (16, 1), (32, 1), (1, 2), (1, 4), (1, 8)]  # windows, guests


def copy_unit(size):
    """µs of one memcpy of a frame of this size, at the moment."""
    command = [f"{paths.BUILD}/tests/bench/copy-unit", str(size[0] * size[1] * 4)]
    return float(subprocess.run(command, check=True, capture_output=True).stdout)


def run(setup, seconds, windows=1):
    """Figures of a while of frames, after the begin is over."""
    setup.start_windows(windows)
    pids, carriers = setup.measured(), setup.carrier_pids()
    counting = setup.count_bytes or setup.count_copies
    if counting:
        setup.pause()
        setup.count_messages()
    own_before = setup.own_counts() if setup.count_copies else None
    if own_before:
        setup.pause()  # until the answer of the agent has come
    bytes_before, copies_before = setup.channel_bytes(), setup.copies()
    before, carriers_before = Usage(pids), Usage(carriers)
    setup.reset()
    setup.resume()
    time.sleep(seconds)  # the length of the measurement
    if counting:
        setup.pause()
    figures = setup.report()
    copies, channel_bytes = setup.copies(), setup.channel_bytes()
    messages = setup.channel_messages()
    after, carriers_after = Usage(pids), Usage(carriers)
    own_after = setup.own_counts() if setup.count_copies else None
    setup.resume()
    setup.check()
    frames = max(figures["frames"], 1)
    figures["fps"] = figures["frames"] / figures["seconds"]
    figures["cpu_us"] = after.since(before)["cpu_us"] / frames
    carried = carriers_after.since(carriers_before)
    figures["carrier_cpu_us"] = carried["cpu_us"] / frames
    figures["minor_faults"] = carried["minor_faults"]
    figures["wakeups"] = carried["wakeups"] / frames
    figures["resident_kib"] = resident(carriers, without=APPLICATIONS)
    if setup.count_bytes:
        figures["channel_bytes"] = (channel_bytes - bytes_before) / frames
        figures["messages"] = messages / frames
    if setup.count_copies:
        for name, count in copies.items():
            figures[name] = (count - copies_before[name]) / frames
        _, damaged, copied = (now - then for now, then in zip(own_after, own_before))
        figures["own_copied_ratio"] = copied / max(damaged, 1)
    return figures


def matrix(options):
    """Latency, rate and CPU of every way, size, damage and kind of compositor; beside each way one
    memcpy of a frame, the less disturbed of before and after."""
    results = []
    for size in options.sizes:
        before = copy_unit(size)
        for damage, hold, path in itertools.product([size, SMALL], [False, True], options.paths):
            row = one(path, size, damage, hold, options)
            after = copy_unit(size)
            row["unit_us"], before = min(before, after), after
            if path is not paths.Native and "failure" not in row:
                sent = one(path, size, damage, hold, options, bytes=True)
                if "failure" in sent:
                    row["failure"] = sent["failure"]
                else:
                    row["sent_ratio"] = sent["channel_bytes"] / row["damaged_bytes"]
            results.append(row)
            report.print_row(row)
    return results


def one(path, size, damage, hold, options, move=False, **counted):
    """The least disturbed of several runs: other work on the machine only ever adds."""
    result = {
        "path": path.name,
        "size": f"{size[0]}x{size[1]}",
        "damage": "full" if damage == size else "moving" if move else f"{damage[0]}x{damage[1]}",
        "compositor": "hold" if hold else "release",
        "damaged_bytes": damage[0] * damage[1] * 4,
    }
    runs = []
    try:
        for _ in range(1 if counted else options.repeat):
            with path(*size, damage, hold, move, **counted) as setup:
                runs.append(run(setup, options.seconds))
    except paths.Failure as failure:
        result["failure"] = str(failure)
        return result
    result["runs_p50_us"] = [each["p50_us"] for each in runs]
    result["runs_cpu_us"] = [each["cpu_us"] for each in runs]
    return {**result, **min(runs, key=lambda each: each["p50_us"])}


def counted(options):
    """Bytes on the channel, copies and allocations: in runs of their own, since counting costs."""
    results = []
    size = (1920, 1080)
    for damage, move in [(size, False), (SMALL, False), (SMALL, True)]:
        for hold in [False, True]:
            for path in options.paths:
                if path is paths.Native:
                    continue
                counts = {"bytes": True, "copies": issubclass(path, paths.Portal)}
                results.append(one(path, size, damage, hold, options, move, **counts))
    return results


def system_calls(options, windows, guests):
    """System calls a frame in agents and bridges."""
    result = {"windows": windows, "guests": guests}
    with paths.Portal(640, 480, SMALL, guests=guests) as setup:
        setup.start_windows(windows)
        for name, processes in [("agent", setup.carriers[0::2]), ("bridge", setup.carriers[1::2])]:
            setup.pause()
            setup.reset()
            with Calls(processes) as calls:
                setup.resume()
                time.sleep(options.seconds)  # the length of the measurement
                setup.pause()
            result[name] = calls.per_frame(max(setup.report()["frames"], 1))
            result[name + "_total"] = sum(result[name].values())
            setup.resume()
    return result


def scaling(options, windows, guests):
    """Cost a frame for many windows, or many guests with one window each."""
    figures = {"windows": windows, "guests": guests}
    for counts in [{"bytes": True}, {"copies": True}]:  # what passes on bytes costs time
        with paths.Portal(640, 480, SMALL, guests=guests, **counts) as setup:
            figures.update(run(setup, options.seconds, windows))
    return figures


def pacing(options):
    """What a client costs that commits as fast as it can, against one that waits to be shown, on a
    compositor that shows 62.5 frames a second."""
    results = {}
    for name, rate in [("paced", 0), ("unpaced", "unpaced")]:
        with paths.Portal(640, 480, SMALL, False, refresh=60, copies=True) as setup:
            generator = setup.start_generator(rate=rate)
            begin = time.monotonic()
            setup.await_frames(10)
            pids = setup.carrier_pids()
            copies_before, before = setup.copies(), Usage(pids)
            setup.reset()
            time.sleep(options.seconds)
            figures = setup.report()
            copies, used = setup.copies(), Usage(pids).since(before)
            results[name] = {
                "frames": figures["frames"] / figures["seconds"],
                "copied_bytes": (copies["agent_copied_bytes"] - copies_before["agent_copied_bytes"])
                / figures["seconds"],
                "cpu_us": used["cpu_us"] / figures["seconds"],
            }
            generator.terminate()
            generator.wait()
            generator.log.seek(0)
            commits = int(generator.log.read().split()[-2])
            results[name]["commits"] = commits / (time.monotonic() - begin)
    return results


def idle(options):
    """Wake-ups of agent and bridge while a window stands still."""
    with paths.Portal(640, 480, (640, 480), False) as setup:
        setup.start_generator(frames=5)
        setup.await_frames(5)
        time.sleep(1)  # what follows a window's first frames
        before = Usage(setup.carrier_pids())
        time.sleep(options.idle_seconds)
        after = Usage(setup.carrier_pids())
        return {"seconds": options.idle_seconds, **after.since(before)}


def window_memory(options, hold):
    """Memory of agent and bridge for each further window."""
    size = (1920, 1080)
    usage = []
    for windows in [1, 9]:
        with paths.Portal(*size, SMALL, hold) as setup:
            setup.start_windows(windows)
            usage.append(resident(setup.carrier_pids(), without=APPLICATIONS))
    return {
        "compositor": "hold" if hold else "release",
        "kib": (usage[1] - usage[0]) / 8,
        # the shown buffer, and where it is held the one that is drawn meanwhile
        "buffers": 2 if hold else 1,
        "buffer_kib": size[0] * size[1] * 4 / 1024,
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", help="write all figures there")
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--repeat", type=int, default=3, help="runs, the best is reported")
    parser.add_argument("--idle-seconds", type=float, default=10)
    parser.add_argument("--sizes", default="640x480,1920x1080,3840x2160")
    parser.add_argument("--paths", default=",".join(path.name for path in paths.USUAL))
    parser.add_argument("--parts", default="matrix,counted,calls,scaling,pacing,idle,memory")
    options = parser.parse_args()
    options.sizes = [tuple(map(int, size.split("x"))) for size in options.sizes.split(",")]
    options.paths = [path for path in paths.ALL if path.name in options.paths.split(",")]
    options.parts = options.parts.split(",")
    return options


def main():
    options = parse()
    figures = {"machine": report.machine(), "seconds": options.seconds, "repeat": options.repeat}
    if "matrix" in options.parts:
        report.print_head()
        figures["matrix"] = matrix(options)
    if "counted" in options.parts:
        figures["counted"] = counted(options)
    if "calls" in options.parts:
        figures["calls"] = [system_calls(options, *each) for each in MANY]
    if "scaling" in options.parts:
        figures["scaling"] = [scaling(options, *each) for each in MANY]
    if "pacing" in options.parts:
        figures["pacing"] = pacing(options)
    if "idle" in options.parts:
        figures["idle"] = idle(options)
    if "memory" in options.parts:
        figures["memory"] = [window_memory(options, hold) for hold in [False, True]]
    figures["machine"]["load_after"] = os.getloadavg()[0]
    report.print_rest(figures)
    figures["targets"] = targets.all_of(figures)
    report.print_targets(figures["targets"])
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 0 if all(map(targets.is_met, figures["targets"])) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What the benchmark's figures must reach: each target as a name, the value measured, and a limit."""

EDGES = 0.5  # of the counting may fall into a frame
FRAME_BYTES = 128  # of a frame's messages on the channel, headers included; see README.md


def copied(row):
    return row["agent_copied_bytes"] + row["bridge_copied_bytes"]


def own_allocations(row):
    return row["agent_own_allocations"] + row["bridge_own_allocations"]


def is_met(target):
    return target["value"] <= target["limit"]


def find(rows, **wanted):
    for row in rows:
        if all(row.get(key) == value for key, value in wanted.items()) and "failure" not in row:
            return row
    return None


def _matrix(rows):
    for compositor in ["release", "hold"]:
        full = {"size": "1920x1080", "damage": "full", "compositor": compositor}
        native, portal = (find(rows, path=path, **full) for path in ["native", "portal"])
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
                path: find(rows, path=path, **small)
                for path in ["native", "portal", "waypipe-none", "waypipe-lz4"]
            }
            native, portal = found.pop("native"), found.pop("portal")
            if native and portal:
                waypipes = [row["p50_us"] - native["p50_us"] for row in found.values() if row]
                limit = max([100] + ([min(waypipes) / 3] if waypipes else []))
                added = portal["p50_us"] - native["p50_us"]
                yield f"64x64 of {size}, {compositor}: added latency, µs", added, limit


def _counted(rows):
    for row in rows:
        if row["path"] != "portal" or "failure" in row:
            continue
        where = f"{row['damage']}, {row['compositor']}"
        limit = 1.1 if row["compositor"] == "release" else 2.1
        ratio = copied(row) / row["damaged_bytes"]
        yield f"{where}: copied of the damage", ratio, limit
        differs = abs(ratio - row["own_copied_ratio"])
        yield f"{where}: its own count differs by", differs, 0.01
        yield f"{where}: bytes on the channel a frame", row["channel_bytes"], FRAME_BYTES + EDGES
        yield f"{where}: allocations a frame", own_allocations(row), 0
        yield f"{where}: page faults in all", row["minor_faults"], 0


def _calls(rows):
    for row in rows:
        where = f"{row['windows']} windows, {row['guests']} guests"
        for name, limit in [("agent", 15), ("bridge", 6)]:
            total = row[name + "_total"]
            yield f"{where}: system calls a frame, {name}", total, limit + EDGES


def _scaling(rows):
    one = find(rows, windows=1, guests=1)
    for row in rows if one else []:
        where = f"{row['windows']} windows, {row['guests']} guests"
        yield f"{where}: messages a frame", row["messages"], one["messages"] + EDGES
        # messages that go together are long enough to count as a copy
        yield f"{where}: copied bytes a frame", copied(row), copied(one) + FRAME_BYTES
        yield f"{where}: allocations a frame", own_allocations(row), 0


def _other(figures):
    rows = [row for part in ["matrix", "counted"] for row in figures.get(part, [])]
    rows = [row for row in rows if row["path"] in ["native", "portal"]]
    if rows:
        yield "runs that failed", sum("failure" in row for row in rows), 0
        yield "torn frames", sum(row.get("torn", 0) for row in rows), 0
    if "idle" in figures:
        yield "wake-ups while idle", figures["idle"]["wakeups"], 0
    for row in figures.get("memory", []):
        beside = row["kib"] - row["buffers"] * row["buffer_kib"]
        yield f"KiB of a window beside its heap buffers, {row['compositor']}", beside, 1024


def all_of(figures):
    found = list(_matrix(figures.get("matrix", [])))
    found += list(_counted(figures.get("counted", [])))
    found += list(_calls(figures.get("calls", [])))
    found += list(_scaling(figures.get("scaling", [])))
    found += list(_other(figures))
    return [{"name": name, "value": value, "limit": limit} for name, value, limit in found]

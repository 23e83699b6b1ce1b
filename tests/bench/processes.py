"""What /proc says about a set of processes."""

import os


def children(roots, without=()):
    """The processes of these ids and everything they have started, but not `without` and below."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as file:
                    parents[int(entry)] = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found, queue = set(), list(roots)
    while queue:
        pid = queue.pop()
        if pid in found or pid in without:
            continue
        found.add(pid)
        queue += [child for child, parent in parents.items() if parent == pid]
    return found


def _threads(pid):
    try:
        return [f"/proc/{pid}/task/{task}" for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _field(text, name):
    for line in text.splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    return 0


def _state(pid):
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1]


def asleep(pids):
    """Whether none of them has anything to do now, nor is held up by a tracer."""
    return not any(_state(pid) in (["R"], ["t"]) for pid in pids)


class Usage:
    """CPU time (ns), page faults and context switches of processes, at one moment."""

    def __init__(self, pids):
        self.cpu = self.minor_faults = self.major_faults = self.switches = 0
        for pid in pids:
            stat = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
            if stat:
                self.minor_faults += int(stat[7])
                self.major_faults += int(stat[9])
            for thread in _threads(pid):
                self.cpu += int((_read(f"{thread}/schedstat").split() or [0])[0])
                # a sleep that ended is a wake-up
                self.switches += _field(_read(f"{thread}/status"), "voluntary_ctxt_switches")

    def since(self, earlier):
        return {
            "cpu_us": (self.cpu - earlier.cpu) / 1000,
            "minor_faults": self.minor_faults - earlier.minor_faults,
            "major_faults": self.major_faults - earlier.major_faults,
            "wakeups": self.switches - earlier.switches,
        }


def resident(pids, without):
    """Memory of processes, KiB: what they share counts once, mappings of this name not at all."""
    total, shared = 0, {}
    for pid in pids:
        of_process = {}
        for line in _read(f"/proc/{pid}/smaps").splitlines():
            words = line.split(None, 5)
            if not words[0].endswith(":"):
                _, permissions, _, _, inode, *name = words
            elif words[0] == "Rss:" and without not in "".join(name):
                if permissions.endswith("s"):
                    of_process[inode] = of_process.get(inode, 0) + int(words[1])
                else:
                    total += int(words[1])
        for inode, kib in of_process.items():
            shared[inode] = max(shared.get(inode, 0), kib)
    return total + sum(shared.values())

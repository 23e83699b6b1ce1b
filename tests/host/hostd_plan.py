"""portal-hostd's budget over what libvirt's test driver has, and starts that the hook asks about: see
hostdtest.py. No machine runs here."""

import os
import subprocess

from hostdtest import Hostd, hostd_write, main, refused, SHELL, wait

NODE = """<node><cpu><mhz>1000</mhz><model>test</model><active>1</active><nodes>1</nodes>
<sockets>1</sockets><cores>1</cores><threads>1</threads></cpu><memory>8192000</memory>%s</node>
"""
DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>%s</name><memory unit='MiB'>%d</memory><vcpu>1</vcpu><os><type>hvm</type></os>%s
<test:runstate>%d</test:runstate></domain>
"""
RUNNING, OFF = 1, 5
HEAP = """<devices><shmem name='%s'><model type='ivshmem-plain'/><size unit='M'>%d</size>
<alias name='%s'/></shmem></devices>"""
POLICY = """
controller work
controller big
router net
guest firefox {{
	domain fox
	memory 1G
	heap 16M 128M
}}
{memory}
"""


def begin(finish, work, budget, *arguments, more=""):
    """The daemon, its connection, and where libvirt is. Running are a controller with the heaps of two
    guests, and one that nobody has named: 64 + 8 + 64 MiB."""
    node = os.path.join(work, "node.xml")
    both = HEAP.replace("</devices>", HEAP.replace("<devices>", "")) % (
        "fox", 8, "ua-portal-heap-firefox", "mail", 16, "ua-portal-heap-mail")
    with open(node, "w", encoding="utf-8") as file:
        file.write(NODE % "".join(DOMAIN % domain for domain in (
            ("fox", 64, HEAP % ("fox", 8, "ua-portal-heap"), OFF),
            ("stranger", 64, "", RUNNING), ("work", 64, both, RUNNING),
            ("net", 64, "", OFF), ("big", 160, "", OFF))))
    memory = f"memory {{\n\treserve 1M\n\tbudget {budget}\n\t{more}\n}}" if budget else ""
    hostd = Hostd(work, POLICY.format(memory=memory), "--uri", f"test://{node}",
                  *arguments).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    return hostd, link, f"test://{node}"


def usage(mib, *shared):
    return {"memory": mib << 20, "limit": 0, "hugePages": False,
            "shared": [{"path": path, "size": size << 20, "own": True} for path, size in shared]}


def prepare(link, domain, *arguments):
    """libvirt's hook asks about a start; without arguments as an older one does."""
    more = {"usage": usage(*arguments)} if arguments else {}
    return link.call("Hook", domain=domain, operation="prepare", **more)


def starts(finish, work):
    """Whoever is allowed to start counts at once, before libvirt says that it runs, and until it is
    gone: two starts do not count on the same memory."""
    _, link, _ = begin(finish, work, "224M", more="unnamed refuse")
    taken = "152 MiB of the budget of 224 MiB is taken by controller work (88 MiB), stranger (64 MiB): "
    refused("Refused", taken + "new needs 73 MiB with its heaps, which is 1 MiB more than the 72 MiB",
            prepare, link, "new", 64, ("/dev/shm/new", 9))
    assert prepare(link, "new", 64, ("/dev/shm/new", 8)) == {}
    for domain, arguments in (("other", (1,)), ("net", ()), ("fox", ())):
        refused("Refused", "new (72 MiB)", prepare, link, domain, *arguments)
    refused("Refused", "new (72 MiB)", link.call, "StartGuest", guest="firefox")
    assert link.call("Hook", domain="new", operation="release") == {}
    assert prepare(link, "net") == {}
    assert link.call("Hook", domain="net", operation="release") == {}
    # A guest brings along the heap that its controller has already: 64 MiB more.
    assert prepare(link, "fox") == {}
    refused("Refused", "firefox (72 MiB)", prepare, link, "other", 9)
    assert prepare(link, "other", 8) == {}


def unnamed(finish, work):
    """What the policy does not name starts as it would without Portal, and counts: what it does name is
    refused beside it."""
    _, link, _ = begin(finish, work, "224M")
    assert prepare(link, "new", 1 << 20) == {}
    for domain in ("net", "fox"):
        refused("Refused", "new (1 TiB)", prepare, link, domain)
    assert link.call("Hook", domain="new", operation="release") == {}
    assert prepare(link, "net") == {}


def switch(finish, work):
    """A controller that would not fit is refused, and nobody is shut down for it."""
    hostd, link, _ = begin(finish, work, "311M")
    refused("Refused", "controller big needs 160 MiB", link.call, "Switch", controller="big")
    assert b"stop work" not in hostd.log.text, hostd.log.text


def shown(finish, work):
    """Everybody's memory is shown, by the daemon and by the command."""
    hostd, link, uri = begin(finish, work, "600M")

    def show(*arguments):
        done = subprocess.run([SHELL, "memory", *arguments, "--config", hostd.config, "--state",
                               hostd.state], capture_output=True, text=True, check=False,
                              timeout=wait.PATIENCE)
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    memory = link.call("GetMemory")
    vms = {vm["name"]: (vm.get("role"), vm["running"], vm["counted"], vm["memory"] >> 20,
                        vm["heaps"] >> 20) for vm in memory["vms"]}
    # fox's heap is in the plan and not with the controller.
    assert vms == {"work": ("controller", True, True, 64, 16), "big": ("controller", False, False, 160, 0),
                   "net": ("router", False, True, 64, 0), "stranger": (None, True, True, 64, 0)}, vms
    assert memory["taken"] == 208 << 20 and memory["planned"] == 80 << 20, memory
    status, said = show("--connect", uri)
    assert status == 0, said
    for line in ("work controller running 64 MiB 16 MiB yes", "big controller off 160 MiB - no",
                 "net router off 64 MiB - yes", "stranger - running 64 MiB - yes",
                 "budget 600 MiB, taken by VMs 208 MiB, planned 80 MiB, left 312 MiB"):
        assert line in said, said
    # Without libvirt the policy's own figures count, and that is said.
    hostd.write(POLICY.format(memory="memory {\n\treserve 1M\n\tbudget 1100M\n}").replace(
        "router net", "router net {\n\tmemory 40M\n}"))
    status, said = show("--connect", "test:///nonexistent")
    assert status == 0 and "what runs is not counted" in said, said
    assert "net router off 40 MiB" in said and "planned 1 GiB" in said, said
    # What does not fit is shown with who has what.
    hostd.write(POLICY.format(memory="memory {\n\treserve 1M\n\tbudget 210M\n}"))
    status, said = show("--connect", uri)
    assert status == 3 and "stranger - running" in said and "beside work (80 MiB), net" in said, said


def huge_pages(finish, work):
    """Pages that are set aside are nobody's who does not ask for them; who does is counted with them."""
    root = os.path.join(work, "root")
    pool = os.path.join(root, "sys", "kernel", "mm", "hugepages", "hugepages-2048kB")
    os.makedirs(pool)
    os.makedirs(os.path.join(root, "proc"))
    for name, text in ((os.path.join(root, "proc", "meminfo"),
                        "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\nHugepagesize: 2048 kB\n"),
                       (os.path.join(pool, "nr_hugepages"), "256\n"),
                       (os.path.join(pool, "free_hugepages"), "256\n")):
        hostd_write(name, text)
    hostd, link, uri = begin(finish, work, "500M", "--root", root, more="unnamed refuse")
    taken = "152 MiB of the budget of 500 MiB is taken by controller work (88 MiB), stranger (64 MiB): "
    # All but the reserve would be 1023 MiB.
    refused("Refused", taken + "new needs 349 MiB with its heaps", prepare, link, "new", 349)

    def hook(domain, mib, **more):
        return link.call("Hook", domain=domain, operation="prepare",
                         usage=dict(usage(mib), hugePages=True, **more))

    refused("Refused", "new needs 514 MiB in huge pages of 2 MiB, which is 2 MiB more than the 512 MiB",
            hook, "new", 514)
    refused("Refused", "the host has none of 1 GiB", hook, "new", 514, pageSize=1 << 30)
    assert hook("new", 300) == {}
    refused("Refused", "300 MiB of the 512 MiB in huge pages of 2 MiB is taken by new (300 MiB): other needs "
            "214 MiB in huge pages", hook, "other", 214, pageSize=2 << 20)
    # The budget has what it had.
    assert prepare(link, "third", 348) == {}
    link.call("Hook", domain="third", operation="release")
    # What somebody else has of the pool cannot be had either, by whichever domain.
    hostd_write(os.path.join(pool, "free_hugepages"), "100\n")
    refused("Refused", "wants 202 MiB of huge pages of 2 MiB, and 200 MiB of them are free",
            hook, "other", 202)
    assert hook("other", 200) == {}
    memory = link.call("GetMemory")
    assert memory["hugePages"] == [
        {"pageSize": 2 << 20, "total": 512 << 20, "taken": 500 << 20, "planned": 0}], memory
    assert {vm["name"]: vm.get("pageSize") for vm in memory["vms"]}["other"] == 2 << 20, memory
    hostd.write(POLICY.format(memory="memory {\n\tunnamed refuse\n\treserve 1M\n\tbudget 512M\n}"))
    link.call("Reload")
    refused("Refused", "the budget is more than the machine has beside the host's reserve and its huge pages "
            "(512 MiB)", prepare, link, "third", 1)
    hostd.write(POLICY.format(memory="memory {\n\treserve 1M\n}").replace("memory 1G", "memory 64M"))
    done = subprocess.run([SHELL, "memory", "--root", root, "--connect", uri, "--config", hostd.config,
                           "--state", hostd.state], capture_output=True, text=True, check=False,
                          timeout=wait.PATIENCE)
    said = " ".join((done.stdout + done.stderr).split())
    assert "budget 511 MiB" in said, said
    assert "huge pages of 2 MiB: 512 MiB, taken by VMs 0 B, planned 0 B, left 512 MiB" in said, said


def no_plan(finish, work):
    """A policy that plans memory for guests only by its defaults refuses by these; one that says nothing
    of memory refuses nothing."""
    hostd, link, _ = begin(finish, work, None)
    large = 1 << 20
    assert prepare(link, "new", large) == {}
    assert link.call("Hook", domain="new", operation="release") == {}
    refused("Refused", "router net needs 1 TiB", prepare, link, "net", large)
    hostd.write("controller work\n")
    link.call("Reload")
    assert prepare(link, "new", large) == {}


main({"starts": starts, "unnamed": unnamed, "switch": switch, "shown": shown, "no-plan": no_plan,
      "huge-pages": huge_pages})

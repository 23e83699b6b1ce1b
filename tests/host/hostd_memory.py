"""Nothing that libvirt runs takes memory that is not there, whoever starts it and by which tool: see
hostdtest.py."""

import os
import signal
import subprocess

from hostdtest import (
    begin, controllers, define, define_xml, DOMAIN, Door, drivers, HEAP_DOMAIN, hook_script,
    Hostd, hostd_write, main, Refused, refused, SHELL, TOP, USB, libvirt, wait)

PLAN = """
controller work
controller play
controller big
router net
guest firefox {{
	domain fox
	memory 1G
	heap 64M 128M
}}
guest mail {{
	memory 64M
	heap 64M 128M
}}
memory {{
	unnamed refuse
	reserve 1M
	budget {budget}
}}
"""


def not_started(words, *arguments):
    """libvirt does not start it, and says why: all of these words."""
    try:
        libvirt.virsh(*arguments)
    except wait.Failure as failure:
        for word in words:
            assert word in str(failure), f"{str(failure)!r} lacks {word!r}"
        return
    raise AssertionError(f"virsh {arguments} was not refused")


def redefine(finish, work, name, memory, more="", devices="<devices>"):
    """Another definition of a domain, with so many MiB."""
    uuid = libvirt.virsh("domuuid", name).strip()
    define_xml(finish, work, name, DOMAIN.format(name=name).replace(
        "<memory unit='MiB'>64</memory>",
        f"<uuid>{uuid}</uuid><memory unit='MiB'>{memory}</memory>{more}").replace(
            "<devices>", devices))


def show(hostd, *arguments):
    """What portal-host memory prints, by the same policy."""
    done = subprocess.run([SHELL, "memory", *arguments, "--config", hostd.config, "--state", hostd.state],
                          capture_output=True, text=True, check=False, timeout=wait.PATIENCE)
    return done.returncode, done.stdout + done.stderr


def row(said, name):
    """The line of a table that begins with the name, with one space between words."""
    return next(" ".join(line.split()) for line in said.splitlines() if line.split()[:1] == [name])


def any_tool(finish, work):
    """What fits is started, what does not is refused with who has the memory, whether the policy names
    it and whoever starts it."""
    begin(finish, hook_script(work))
    define(finish, "work", "play", "net", "fox", "mail", "stranger", "other")
    define_xml(finish, work, "big", DOMAIN.format(name="big").replace(">64<", ">192<"))
    hostd = Hostd(work, PLAN.format(budget="200M"), "--patience", "1").start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)

    # Each of the three is another kind: nobody's, a controller, a guest by its definition's memory.
    libvirt.virsh("start", "stranger")
    libvirt.virsh("start", "work")
    assert link.call("StartGuest", guest="firefox") == {}
    everybody = ("192 MiB of the budget of 200 MiB is taken by ", "stranger (64 MiB)",
                 "controller work (64 MiB)", "firefox (64 MiB)")
    not_started((*everybody, "router net needs 64 MiB"), "start", "net")
    not_started((*everybody, "other needs 64 MiB"), "start", "other")
    xml = os.path.join(work, "passing.xml")
    hostd_write(xml, DOMAIN.format(name="passing"))
    not_started((*everybody, "passing needs 64 MiB"), "create", xml)
    not_started((*everybody, "mail needs 64 MiB"), "start", "mail")
    refused("Refused", "taken by", link.call, "StartGuest", guest="mail")
    for name in ("net", "other", "mail"):
        assert "shut off" in libvirt.virsh("domstate", name)

    # A controller that would not fit beside what stays is refused before the first one is stopped.
    refused("Refused", "controller big needs 192 MiB", link.call, "Switch", controller="big")
    assert "running" in libvirt.virsh("domstate", "work")
    assert b"stop work" not in hostd.log.text

    # Everybody sees who has what.
    memory = link.call("GetMemory")
    vms = {vm["name"]: vm for vm in memory["vms"]}
    assert vms["stranger"]["memory"] == vms["work"]["memory"] == vms["net"]["memory"] == 64 << 20
    assert vms["work"]["role"] == "controller" and "role" not in vms["stranger"], vms
    assert vms["work"]["counted"] and vms["net"]["counted"] and not vms["play"]["counted"], vms
    assert "beside " in memory["reason"] and "stranger (64 MiB)" in memory["reason"], memory
    status, said = show(hostd)
    assert status == 3 and "beside " in said and "stranger (64 MiB)" in said, said
    hostd.write(PLAN.format(budget="600M"))
    status, said = show(hostd)
    assert status == 0 and "taken by VMs 192 MiB" in said, said
    assert "running 64 MiB" in row(said, "stranger"), said
    assert "controller running 64 MiB" in row(said, "work"), said
    assert row(said, "firefox").startswith("firefox 64 MiB"), said
    hostd.write(PLAN.format(budget="200M"))

    # What ends makes place, at once; another daemon knows what runs.
    libvirt.virsh("destroy", "stranger")
    libvirt.virsh("start", "net")
    libvirt.virsh("destroy", "net")
    libvirt.virsh("create", xml)
    finish.callback(libvirt.destroy, "passing")
    hostd.stop()
    hostd.start()
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    not_started(("passing (64 MiB)", "other needs 64 MiB"), "start", "other")
    libvirt.virsh("destroy", "passing")
    libvirt.virsh("start", "other")
    # A start that libvirt itself refuses leaves nothing behind.
    libvirt.virsh("destroy", "other")
    disk = "<devices><disk type='file'><source file='/nowhere'/><target dev='sda'/></disk>"
    define_xml(finish, work, "broken", DOMAIN.format(name="broken").replace("<devices>", disk))
    for _ in range(2):
        not_started(("/nowhere",), "start", "broken")
    libvirt.virsh("start", "other")
    # Another definition counts as it is now.
    libvirt.virsh("destroy", "other")
    redefine(finish, work, "mail", 96)
    # By the daemon, or, where libvirt's event comes late, by what it tells the hook.
    refused("Refused", "mail needs 96 MiB", link.call, "StartGuest", guest="mail")
    # Without a plan in the policy nobody is held up.
    hostd.write("controller work\n")
    link.call("Reload")
    libvirt.virsh("start", "stranger")
    libvirt.virsh("start", "other")


def through_a_door(finish, work):
    """A controller hears that there is no room for its guest, and not who has it."""
    begin(finish, hook_script(work))
    define(finish, "work", "fox", "stranger")
    path = os.path.join(work, "door")
    listener = Door(path)
    program = os.path.join(TOP, "tests", "host", "fake_door.py")
    policy = PLAN.format(budget="150M").replace(
        "controller work\n", f"controller work {{\n\tguests firefox\n\tdoor unix:{path}\n}}\n")
    hostd = Hostd(work, policy, "--door", program).start()
    finish.callback(hostd.stop)
    hostd.link().wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    libvirt.virsh("start", "stranger")
    libvirt.virsh("start", "work")
    _, link, keeper = listener.accept()
    try:
        link.call("StartGuest", guest="firefox")
        raise AssertionError("a guest was started with memory that others have")
    except Refused as refusal:
        assert refusal.reason == "the host's memory plan has no room for it", refusal
    hostd.log.for_text(b"start guest firefox: refused: 128 MiB of the budget of 150 MiB is taken by")
    libvirt.virsh("destroy", "stranger")
    assert link.call("StartGuest", guest="firefox") == {}
    keeper.close()


def libvirt_restarts(finish, work):
    """Machines run on while libvirt is away, and so does the count."""
    daemon = begin(finish, hook_script(work))
    define(finish, "fox", "stranger", "other")
    hostd = Hostd(work, PLAN.format(budget="150M")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    libvirt.virsh("start", "stranger")
    libvirt.virsh("start", "other")
    for name in ("stranger", "other"):
        finish.callback(os.kill, libvirt.domain_pid(name), signal.SIGKILL)
    daemon.stop()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is not None)
    usage = {"memory": 64 << 20, "limit": 0, "hugePages": False, "shared": []}
    # As the hook asks for a machine that libvirt starts before it answers anybody.
    refused("Refused", "stranger (64 MiB)", link.call, "Hook", domain="fox", operation="prepare",
            usage=usage)
    assert link.call("Hook", domain="stranger", operation="release") == {}
    assert link.call("Hook", domain="fox", operation="prepare", usage=usage) == {}


def shared_heap(finish, work):
    """The heap of a guest, which its controller has as well, counts once."""
    begin(finish, hook_script(work))
    path = os.path.join(work, "heap")
    fox = HEAP_DOMAIN.format(path=path)
    define_xml(finish, work, "fox", fox)
    define_xml(finish, work, "work", fox.replace("<name>fox", "<name>work").replace(
        "ua-portal-heap", "ua-portal-heap-firefox"))
    define(finish, "other")
    hostd = Hostd(work, PLAN.format(budget="230M")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    # The controller brings the heap along, and the guest has the same one: 64 + 96 + 64.
    libvirt.virsh("start", "work")
    assert link.call("StartGuest", guest="firefox") == {}
    assert os.stat(path).st_size == 96 << 20
    not_started(("224 MiB of the budget of 230 MiB", "firefox (160 MiB)", "controller work (64 MiB)"),
                "start", "other")
    libvirt.virsh("destroy", "fox")
    libvirt.virsh("start", "other")  # 64 + 96 + 64 again
    not_started(("controller work (64 MiB)", "firefox needs 160 MiB"), "start", "fox")


def locks(finish, work):
    """A controller whose memory cannot be locked for VFIO is told so before a device is moved."""
    hostd, link = controllers(finish, work)
    home = drivers(link)

    limit = "<memtune><hard_limit unit='MiB'>32</hard_limit></memtune>"
    large = 48 << 10  # of the model's 43.75 GiB
    for memory, more, words in (
            (64, limit, "64 MiB of the VM have to be locked, and its definition allows 32 MiB"),
            (large, "", "the VM wants 49152 MiB, all of it locked, and 44800 MiB are available"),
            (64, "<memoryBacking><hugepages/></memoryBacking>", "64 MiB of huge pages, and 0 MiB of them")):
        redefine(finish, work, "work", memory, more)
        not_started((words,), "start", "work")
        said = len(hostd.log.text)
        refused("Refused", words, link.call, "Switch", controller="work")
        assert b"give to work" not in hostd.log.text[said:], "a switch is looked at before it begins"
        assert drivers(link) == home
    ask = {"domain": "play", "operation": "prepare", "devices": [], "lockLimit": 16 << 20}
    refused("Refused", "libvirt may lock 16 MiB and cannot raise that", link.call, "Hook", **ask)
    assert drivers(link) == home
    redefine(finish, work, "work", 64)
    libvirt.virsh("start", "work")
    assert drivers(link)[USB] == "vfio-pci"


def closed_directory(finish, work):
    """A guest's channel where the daemon may not write is told of, and keeps no controller from
    starting: libvirt's hook makes it."""
    directory = os.path.join(work, "channels")
    os.mkdir(directory)
    closed = ("unshare", "--mount", "sh", "-c",
              'mount --bind -o ro "$0" "$0" && exec "$@"', directory)
    hostd, link = controllers(finish, work, before=closed)
    channel = os.path.join(directory, "fox")
    port = (f"<devices><channel type='unix'><source mode='connect' path='{channel}'>"
            "<reconnect enabled='yes' timeout='1'/></source>"
            "<target type='virtio' name='org.portal.guest.fox'/></channel>")
    redefine(finish, work, "play", 64, devices=port)
    assert link.call("Switch", controller="play") == {}
    assert "running" in libvirt.virsh("domstate", "play")
    said = hostd.log.text.decode()
    assert f"the channel {channel}: Read-only file system: it is not made from here" in said, said
    assert "ReadWritePaths=" in said, said
    assert os.path.exists(channel), "nor did the hook make it"


main({"any-tool": any_tool, "through-a-door": through_a_door, "libvirt-restarts": libvirt_restarts,
      "shared-heap": shared_heap, "locks": locks, "closed-directory": closed_directory})

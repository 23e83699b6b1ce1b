"""portal-hostd gives devices to controllers and the router and takes them back, whoever starts and stops
them: see hostdtest.py."""

import contextlib
import os
import stat
import subprocess
import tempfile

from hostdtest import (
    carried_out, CONTROLLERS, controllers, DOMAIN, drivers, HEAP_DOMAIN, Hostd, hostd_write, LAN, main,
    MORE_USB, refused, SHELL, until, USB, libvirt, wait)


def hear(hostd, name, said):
    """The VM hears that it is to shut down, and does."""
    hostd.log.for_text(f"stop {name}".encode(), said)
    libvirt.virsh("destroy", name)


def switch(finish, work):
    """One controller to another, whoever starts them; what does not work leads back."""
    hostd, link = controllers(finish, work)
    home = drivers(link)
    assert home[USB] == home[MORE_USB] == "xhci_hcd", home
    libvirt.virsh("start", "fox")  # none of ours
    libvirt.virsh("start", "work")
    now = drivers(link)
    assert now[USB] == now[MORE_USB] == "vfio-pci", now
    try:
        libvirt.virsh("start", "play")
        raise AssertionError("two controllers share a device")
    except wait.Failure as failure:
        assert "is with controller work" in str(failure), failure
    refused("NoSuchController", "ghost", link.call, "Switch", controller="ghost")
    refused("NoSuchController", "net", link.call, "Switch", controller="net")
    libvirt.virsh("start", "net")
    assert drivers(link)[LAN] == "vfio-pci"

    for status, words, arguments in (
            (0, "controller  running", ["status"]), (3, "no controller ghost", ["switch", "ghost"]),
            (2, "an argument is missing", ["switch"]),
            (2, "one argument too many", ["switch", "--host", "x"])):
        done = subprocess.run([SHELL, *arguments, "--socket", hostd.socket], capture_output=True,
                              text=True, check=False, timeout=wait.PATIENCE)
        assert done.returncode == status and words in done.stdout + done.stderr, done

    said = len(hostd.log.text)
    link.send("Switch", controller="play")
    refused("Busy", "under way", link.again().call, "Switch", controller="work")
    hear(hostd, "work", said)
    assert link.receive() == {}
    assert "running" in libvirt.virsh("domstate", "play")
    now = drivers(link)
    assert now[USB] == "vfio-pci" and now[MORE_USB] == "xhci_hcd", now

    said = len(hostd.log.text)
    link.send("Switch", controller="broken")
    hear(hostd, "play", said)
    refused("Failed", "play is back", link.receive)
    assert "running" in libvirt.virsh("domstate", "play")

    hostd.kill()
    link = hostd.link()
    until(link, lambda now: now.get(USB) == "vfio-pci")
    libvirt.virsh("destroy", "play")
    libvirt.virsh("destroy", "net")
    until(link, lambda now: now == home)


def exact(finish, work):
    """What a switch does to devices, there and back, is what was said of it."""
    hostd, link = controllers(finish, work)
    libvirt.virsh("start", "work")
    for target, leaving, whats in (("play", "work", ["return"]), ("work", "play", ["take"]),
                                   (None, "work", ["return", "return"])):
        called = {"controller": target} if target else {}
        before, said = carried_out(hostd), len(hostd.log.text)
        plan = link.call("PlanSwitch", **called)
        assert plan["leaving"] == [leaving] and plan.get("starting") == target, plan
        planned = [(entry["what"], entry["plan"]) for entry in plan["plans"]]
        assert [what for what, _ in planned] == whats, plan
        assert carried_out(hostd) == before, "it was done"
        link.send("Switch", **called)
        hear(hostd, leaving, said)
        assert link.receive() == {}
        assert carried_out(hostd) == before + planned, (carried_out(hostd)[len(before):], planned)


def force(finish, work):
    """A controller that does not shut down stays, unless it is to be ended."""
    hostd, link = controllers(finish, work, "--patience", "1")
    home = drivers(link)
    libvirt.virsh("start", "work")
    refused("Failed", "has not shut down in time", link.call, "Switch", controller="play")
    assert "running" in libvirt.virsh("domstate", "work")
    assert link.call("Switch", controller="play", force=True) == {}
    assert "running" in libvirt.virsh("domstate", "play")
    assert link.call("Switch", force=True) == {}
    assert drivers(link) == home, drivers(link)
    hostd.stop()
    # Without the daemon a controller does not start, and any other domain does.
    libvirt.virsh("start", "fox")
    try:
        libvirt.virsh("start", "work")
        raise AssertionError("a controller was started without its devices")
    except wait.Failure as failure:
        assert "portal-hostd" in str(failure) and "cannot be reached" in str(failure), failure


def by_hand(finish, work):
    """What a person takes stays taken, and nothing else can be done to it."""
    hostd, link = controllers(finish, work)
    home = drivers(link)
    for devices, words in ((["0000:05:00.0"], None), (["0000:04:00.0"], "belongs to the host"),
                           (["0000:05:00.0", "0000:06:00.0"], "0000:06:00.0, which belongs to")):
        ask = {"domain": "play", "operation": "prepare", "devices": devices}
        if words:
            refused("Refused", words, link.call, "Hook", **ask)
        else:
            assert link.call("Hook", **ask) == {}
        assert link.call("Hook", domain="play", operation="release") == {}
    # And as libvirt's hook reads it from the definition.
    stray = ("<devices><hostdev mode='subsystem' type='pci' managed='no'><source>"
             "<address domain='0' bus='4' slot='0' function='0'/></source></hostdev>")
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        # So little that whoever runs this test may lock it.
        file.write(DOMAIN.format(name="net").replace("<devices>", stray).replace(">64<", ">1<"))
        file.flush()
        libvirt.virsh("undefine", "net")
        libvirt.virsh("define", file.name)
    try:
        libvirt.virsh("start", "net")
        raise AssertionError("a VM was started with a device that is not its own")
    except wait.Failure as failure:
        assert "0000:04:00.0, which belongs to the host" in str(failure), failure
    # It makes what a controller has of guests that start later.
    heap_file, channel = os.path.join(work, "mail.heap"), os.path.join(work, "mail.channel")
    port = (f"<devices><channel type='unix'><source mode='connect' path='{channel}'>"
            "<reconnect enabled='yes' timeout='1'/></source>"
            "<target type='virtio' name='org.portal.guest.mail'/></channel>")
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(HEAP_DOMAIN.format(path=heap_file).replace("ua-portal-heap", "ua-portal-heap-mail")
                   .replace("<devices>", port))
        file.flush()
        libvirt.virsh("undefine", "fox")
        libvirt.virsh("define", file.name)
    libvirt.virsh("start", "fox")
    assert os.stat(heap_file).st_size == 96 << 20 and stat.S_ISSOCK(os.stat(channel).st_mode)
    refused("Refused", "cannot be migrated", link.call, "Hook", domain="play", operation="migrate",
            devices=[USB])
    refused("Refused", "cannot be restored", link.call, "Hook", domain="play", operation="restore",
            devices=[USB])
    until(link, lambda now: now == home)
    refused("Refused", "no device was named", link.call, "Take", devices=[])
    refused("Refused", "no PCI function", link.call, "Take", devices=["0f:00.0"])
    refused("Refused", "survival guard", link.call, "Take", devices=["00:14.0"])
    refused("NoSuchDevice", "no PCI function", link.call, "ReleaseGpu", device="0f:00.0")
    refused("Refused", "no graphics card", link.call, "ReleaseGpu", device="05:00.0")
    assert link.call("Take", devices=["06:00.0"]) == {}
    until(link, lambda now: now[LAN] == "vfio-pci")
    hostd.kill()
    link = hostd.link()
    libvirt.virsh("start", "play")
    libvirt.virsh("destroy", "play")
    until(link, lambda now: now[USB] == "xhci_hcd")
    assert drivers(link)[LAN] == "vfio-pci"
    assert link.call("Return") == {}
    until(link, lambda now: now == home)
    refused("Refused", "was not taken", link.call, "Return", devices=["06:00.0"])
    assert link.call("Recover") == {}
    for corrupt, words in (("state/assigned.scfg", "expected: device"),
                           ("state/devices.scfg", "not a known device"),
                           ("host.scfg", "no directive of this file")):
        hostd.stop()
        path = os.path.join(work, corrupt)
        with contextlib.ExitStack() as restore:
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    restore.callback(hostd_write, path, file.read())
            else:
                restore.callback(os.unlink, path)
            hostd_write(path, "rubbish\n")
            done = subprocess.run(hostd.arguments, capture_output=True, text=True, check=False,
                                  timeout=wait.PATIENCE)
            assert done.returncode == 1 and words in done.stderr, done.stderr
            assert path in done.stderr, done.stderr


def window(finish, work):
    """A configuration space that a crash left open is closed at the daemon's start."""
    root = os.path.join(work, "root")
    configs = []
    for number in range(3):
        device = os.path.join(root, "sys/bus/pci/devices", f"0000:0{number}:00.0")
        os.makedirs(device)
        for name, text in (("vendor", "0x8086\n"), ("device", "0x10d3\n"), ("class", "0x020000\n"),
                           ("config", "")):
            hostd_write(os.path.join(device, name), text)
        configs.append(os.path.join(device, "config"))
        os.chmod(configs[-1], 0o660)
    os.makedirs(os.path.join(root, "proc/sys/kernel/random"))
    hostd_write(os.path.join(root, "proc/sys/kernel/random/boot_id"), "this-boot\n")
    records = os.path.join(work, "state", "config-space")
    os.makedirs(records)
    for vm, boot, address in (("work", "this-boot", "0000:00:00.0"), ("play", "another", "0000:01:00.0")):
        hostd_write(os.path.join(records, f"{vm}.window"),
                    f"portal-config-window 1\nboot {boot}\n{address} 0 0 644\nend\n")
    hostd_write(os.path.join(records, "rubbish.window"), "rubbish\n")
    hostd = Hostd(work, "controller work\n", "--root", root).start()
    finish.callback(hostd.stop)
    hostd.log.for_text(b"rubbish.window is no record of a window")
    # What an earlier boot opened was made anew with it; what is not written down is not touched.
    assert [stat.S_IMODE(os.stat(path).st_mode) for path in configs] == [0o644, 0o660, 0o660]
    assert os.listdir(records) == ["rubbish.window"]
    link = hostd.link()
    refused("Unfinished", "is no record of a window", link.call, "Recover")
    os.unlink(os.path.join(records, "rubbish.window"))
    assert link.call("Recover") == {}


def holders(finish, work):
    """Whoever keeps a card from being taken is named, of all its functions."""
    hostd = Hostd(work, "controller work\n", "--uri", "test:///default", machine="notes-laptop").start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    refused("Refused", "0000:01:00.0 is in use: nvidia-persiste (pid 1390) has /dev/nvidia0 open; "
            "0000:01:00.1 is in use: wireplumber (pid 1411) has /dev/snd/controlC1 open",
            link.call, "Take", devices=["01:00.0"])


def blind(finish, work):
    """No VM that is to have devices starts while the daemon cannot see any."""
    hostd = Hostd(work, "controller work\n", "--root", work).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    refused("Refused", "the devices cannot be looked at: ", link.call, "Hook", domain="work",
            operation="prepare")
    assert link.call("Hook", domain="other", operation="prepare") == {}


def killed(finish, work):
    """Killed at one step after the other, it loses nothing."""
    hostd, link = controllers(finish, work)
    home = drivers(link)
    for step in range(1, 12, 2):
        said = len(hostd.log.text)
        start = subprocess.Popen(["virsh", "--quiet", "--connect", libvirt.URI, "start", "work"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(step):
            said = hostd.log.for_text(b"\n", said)
        hostd.kill()
        start.wait()
        link = hostd.link()
        # Started or not: in the end there is no controller, and all is as it was.
        link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
        libvirt.destroy("work")
        link.call("Recover")
        until(link, lambda now: now == home)


def killed_late(finish, work):
    """What was taken for a VM that runs, and not attached when the daemon was killed, the next attaches."""
    node = os.path.join(work, "node.xml")
    hostd_write(node, "<node><domain type='test'><name>work</name><memory unit='MiB'>64</memory>"
                "<os><type>hvm</type></os></domain></node>")
    without = CONTROLLERS.replace("controller work", "controller work {\n\tdevices 05:00.0\n}")
    hostd = Hostd(work, without, "--uri", f"test://{node}", machine="two-gpu-desktop").start()
    finish.callback(hostd.stop)
    at = hostd.log.for_text(f"attach {USB} to work: done".encode())
    # The last line before the attachment is the eighth.
    for step in range(1, 9):
        hostd.write(CONTROLLERS)
        hostd.link().call("Reload")
        at = begun = hostd.log.for_text(b"the plan is written down", at)
        for _ in range(step):
            at = hostd.log.for_text(b"\n", at)
        hostd.kill()
        # By the one that was killed, if it got that far, or the next.
        at = hostd.log.for_text(f"attach {MORE_USB} to work: done".encode(), begun)
        hostd.write(without)
        hostd.link().call("Reload")
        at = hostd.log.for_text(f"return from VMs {MORE_USB}: done".encode(), at)


main({"switch": switch, "exact": exact, "force": force, "by-hand": by_hand, "window": window,
      "holders": holders, "blind": blind, "killed": killed, "killed-late": killed_late})

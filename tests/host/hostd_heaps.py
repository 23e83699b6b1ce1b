"""The files of heaps belong to the user that QEMU runs as, and nobody else may open them: see
hostdtest.py."""

import os
import subprocess

from hostdtest import (
    begin, define_xml, DOMAIN, GUESTS, Hostd, hook_script, main, refused, SHELL, libvirt, wait)

QEMU, OWN, STRANGER = 64055, 64056, 64057
MIB = 1 << 20
HEAP = """<devices>
  <shmem name='{name}'>
    <model type='ivshmem-plain'/><size unit='M'>8</size><alias name='ua-portal-heap{alias}'/>
  </shmem>"""
LABEL = f"""<seclabel type='static' model='dac' relabel='yes'>
  <label>+{OWN}:+{OWN}</label></seclabel></domain>"""


class Scene:
    """A guest fox with a heap, and libvirt's QEMUs as another user."""

    def __init__(self, finish, work, hook):
        self.name = f"portal-test-fox-{os.getpid()}"
        self.path = f"/dev/shm/{self.name}"
        self._work, self._finish = work, finish
        finish.callback(subprocess.run, ["rm", "-f", self.path], check=True)
        begin(finish, hook, user=f"+{QEMU}")
        self.define("fox")

    def define(self, domain, alias="", end="</domain>"):
        xml = DOMAIN.format(name=domain).replace("</domain>", end)
        define_xml(self._finish, self._work, domain,
                   xml.replace("<devices>", HEAP.format(name=self.name, alias=alias)))

    def is_of(self, user):
        status = os.lstat(self.path)
        assert (status.st_uid, status.st_gid) == (user, user), status
        assert status.st_mode & 0o7777 == 0o600, oct(status.st_mode)
        assert status.st_size == 8 * MIB, status

    def plant(self, owner, mode=0o600):
        """Somebody makes the file before the start does."""
        with open(self.path, "wb") as file:
            file.truncate(8 * MIB)
        os.chown(self.path, owner, owner)
        os.chmod(self.path, mode)


def run_as(name):
    return os.stat(f"/proc/{libvirt.domain_pid(name)}").st_uid


def owner(finish, work):
    """Whoever starts a guest, by whatever tool."""
    scene = Scene(finish, work, hook_script(work))
    libvirt.virsh("start", "fox")
    assert run_as("fox") == QEMU
    scene.is_of(QEMU)
    libvirt.destroy("fox")
    # What root made, and what QEMU made itself, is no worse.
    for user, mode in ((0, 0o600), (QEMU, 0o644)):
        scene.plant(user, mode)
        libvirt.virsh("start", "fox")
        scene.is_of(QEMU)
        libvirt.destroy("fox")
    os.unlink(scene.path)
    libvirt.virsh("undefine", "fox")
    scene.define("fox", end=LABEL)
    libvirt.virsh("start", "fox")
    assert run_as("fox") == OWN
    scene.is_of(OWN)


def not_started(name, *words):
    try:
        libvirt.virsh("start", name)
    except wait.Failure as failure:
        for word in words:
            assert word in str(failure), f"{str(failure)!r} lacks {word!r}"
        return
    raise AssertionError(f"{name} was started")


def planted(finish, work):
    """What others made is refused, for the guest and for a controller that starts before it."""
    scene = Scene(finish, work, hook_script(work))
    scene.define("work", "-firefox")
    for name in ("fox", "work"):
        scene.plant(STRANGER)
        not_started(name, scene.path, f"belongs to user {STRANGER}", "remove it")
        os.unlink(scene.path)
        os.symlink(os.path.join(work, "nowhere"), scene.path)
        not_started(name, scene.path, "no file of its own", "remove it")
        os.unlink(scene.path)
        scene.plant(QEMU, 0o660)
        not_started(name, scene.path, "others than its owner may open it (mode 660)", "remove it")
        os.unlink(scene.path)
    libvirt.virsh("start", "work")
    scene.is_of(QEMU)
    libvirt.virsh("start", "fox")
    scene.is_of(QEMU)


def prepare(*as_whom):
    done = subprocess.run([*as_whom, SHELL, "domain", "prepare", "fox"],
                          capture_output=True, text=True, check=False, timeout=wait.PATIENCE)
    return done.returncode, done.stdout + done.stderr


def without_hook(finish, work):
    """portal-hostd's starts, and what a person prepares for others."""
    scene = Scene(finish, work, None)
    scene.define("work", "-firefox")
    hostd = Hostd(work, GUESTS.format(door="/nowhere", budget="1G")).start()
    finish.callback(hostd.stop)
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    assert link.call("StartGuest", guest="firefox") == {}
    scene.is_of(QEMU)
    assert link.call("StopGuest", guest="firefox", force=True) == {}
    os.unlink(scene.path)
    # A user who may speak to libvirt, but cannot give files away.
    status, said = prepare("setpriv", "--reuid", "nobody", "--regid", "root", "--clear-groups")
    assert status != 0 and "to whom only root can give it" in said, said
    assert "portal-run --define VM --replace has QEMU run as you" in said, said
    assert not os.path.exists(scene.path)
    assert prepare() == (0, "")
    scene.is_of(QEMU)
    os.unlink(scene.path)
    scene.plant(STRANGER)
    refused("Failed", f"belongs to user {STRANGER}", link.call, "StartGuest", guest="firefox")
    refused("Failed", f"belongs to user {STRANGER}", link.call, "Switch", controller="work")


main({"owner": owner, "planted": planted, "owner-without-hook": without_hook})

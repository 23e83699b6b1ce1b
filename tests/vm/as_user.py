"""A VM test as an ordinary user, whose guests are those of a libvirt of his own (qemu:///session).

as_user.py TEST.py ARG...: prepares, in a mount namespace of its own, what a user has who has logged
in, and becomes him.
"""

import os
import shutil
import subprocess
import sys
import tempfile

import vmtest

USER, ID = "portal-test", 64123


def add_user(work, home):
    """libvirt wants to know who he is."""
    for name, line in (("passwd", f"{USER}:x:{ID}:{ID}::{home}:/bin/sh"), ("group", f"{USER}:x:{ID}:")):
        path = os.path.join(work, name)
        shutil.copy(f"/etc/{name}", path)
        with open(path, "a", encoding="ascii") as file:
            file.write(line + "\n")
        vmtest.bind(path, f"/etc/{name}")


def main():
    os.unshare(os.CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    work = tempfile.mkdtemp(prefix="portal-user-", dir="/tmp")
    os.chmod(work, 0o755)
    home, runtime, top = (os.path.join(work, name) for name in ("home", "runtime", "checkout"))
    for path in (home, runtime):
        os.mkdir(path, 0o700)
        os.chown(path, ID, ID)
    os.mkdir(top)
    add_user(work, home)
    vmtest.lay_out_images(os.path.join(work, "images"))
    vmtest.bind(vmtest.TOP, top)
    os.mkdir(os.path.join(work, "build"))
    vmtest.bind(vmtest.BUILD, os.path.join(work, "build"))

    environment = {
        key: value for key, value in os.environ.items()
        if key not in ("WAYLAND_DISPLAY", "DISPLAY", "DBUS_SESSION_BUS_ADDRESS")}
    environment.update(
        HOME=home, XDG_RUNTIME_DIR=runtime, TMPDIR=home, USER=USER, LOGNAME=USER,
        PORTAL_BUILD=os.path.join(work, "build"), PORTAL_IMAGES=os.path.join(work, "images"))
    os.chdir(home)
    os.setgroups([])
    os.setresgid(ID, ID, ID)
    os.setresuid(ID, ID, ID)
    test = os.path.join(top, os.path.relpath(os.path.realpath(sys.argv[1]), vmtest.TOP))
    os.execve(sys.executable, [sys.executable, test, *sys.argv[2:]], environment)


main()

"""Who may ask portal-hostd for what: see hostdtest.py."""

import json
import os
import shutil
import subprocess

from hostdtest import Hostd, main, TOP, wait

_POLKIT_RULES = """
polkit.addRule(function(action, subject) {
	if (subject.user == "nobody" && action.id == "org.portal.host.configure") {
		return polkit.Result.YES;
	}
	if (subject.user == "nobody" && action.id == "org.portal.host.devices") {
		return polkit.Result.NO;
	}
});
"""


def polkit(finish, work):
    """Who is not root may look, and do what polkit allows; without polkit nothing."""
    hostd = Hostd(work, "controller work\n").start()
    finish.callback(hostd.stop)
    os.chmod(work, 0o755)

    def call(method, **parameters):
        done = subprocess.run(
            ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "varlinkctl",
             "call", hostd.socket, f"org.portal.Host.{method}", json.dumps(parameters)],
            capture_output=True, text=True, check=False, timeout=wait.PATIENCE)
        return done.returncode, done.stdout + done.stderr

    status, said = call("GetState")
    assert status == 0 and "controller" in said, said
    said = subprocess.run(["varlinkctl", "introspect", hostd.socket, "org.portal.Host"],
                          capture_output=True, text=True, check=True).stdout
    for method in ("GetState", "Take", "Switch", "Hook", "Reload"):
        assert f"method {method}(" in said, said
    for method, parameters in (("Reload", {}), ("Take", {"devices": ["05:00.0"]}), ("Return", {}),
                               ("Switch", {}), ("Recover", {}), ("StartGuest", {"guest": "x"})):
        status, said = call(method, **parameters)
        assert status != 0 and "only root may do this: polkit is not there" in said, said
    status, said = call("Hook", domain="work", operation="prepare")
    assert status != 0 and "only libvirt's hook" in said, said

    os.makedirs("/run/dbus", exist_ok=True)
    os.makedirs("/etc/polkit-1/rules.d", exist_ok=True)
    with open("/etc/polkit-1/rules.d/10-portal.rules", "w", encoding="utf-8") as file:
        file.write(_POLKIT_RULES)
    shutil.copy(os.path.join(TOP, "host-vfio", "hostd", "org.portal.host.policy"),
                "/usr/share/polkit-1/actions")
    bus, said = wait.start(["dbus-daemon", "--system", "--nofork", "--print-address"], "dbus-daemon")
    finish.callback(wait.stop, bus)
    said.for_text(b"unix:path=")
    status, said = call("Reload")
    assert status == 0, said
    status, said = call("Take", devices=["05:00.0"])
    assert status != 0 and "polkit does not allow it" in said, said
    status, said = call("Recover")
    assert status != 0 and "polkit does not allow it" in said, said
    status, said = call("Switch")
    assert status != 0 and "polkit wants to ask somebody first" in said, said
    hostd.log.for_text(b"reload: done")


main({"polkit": polkit})

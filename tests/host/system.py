"""portal-hostd as the service that it is installed as: started by a real systemd in its sandbox, asked
by a person through polkit and by virsh through libvirt's hook, under AppArmor, on a host whose VFIO
is real.

system.py BUILD
"""

import json
import re
import shlex
import sys
import tempfile

from hostdev import CARD, DOMAIN
from hostmachine import expect, run_tests
from hostsystem import System, check_tree, seated, varlink
from release import GPU

DEVICES = [
    "pcie-root-port,id=port1,bus=pcie.0,addr=0x4,chassis=1,slot=1",
    # A port whose bus can be reset, as release.py says.
    "pcie-root-port,id=port2,bus=pcie.0,addr=0x5,chassis=2,slot=2,x-speed=5",
    # Of two functions, which a root port keeps in one IOMMU group.
    "e1000e,bus=port1,addr=0x0.0x0,multifunction=on",
    "e1000e,bus=port1,addr=0x0.0x1",
    "virtio-gpu-pci,bus=port2,addr=0x0,multifunction=on",
    "edu,bus=port2,addr=0x0.1",
]

POLICY = b"""assign net to controllers
controller desk {
	guests fox
	door virtio-serial:/run/portal/desk.door /var/lib/portal/desk.key
}
controller play
guest fox {
	memory 64M
	heap 64M 128M
}
memory {
	reserve 1M
}
"""

# A guest of Portal's, with its heap.
FOX = DOMAIN.replace("desk", "fox").replace("<memory", """<maxMemory slots='4' unit='MiB'>1024</maxMemory>
<memory""", 1).replace("64</memory>", "128</memory>").replace("<devices>", """
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu><devices>
<memory model='nvdimm' access='shared'><source><path>/dev/shm/portal-fox</path></source>
<target><size unit='MiB'>64</size><node>0</node></target><alias name='ua-portal-heap'/></memory>""")

# What gives a controller the graphics card, too, whoever shows something on it.
# Its second function is of no category of cards.
POLICY_GPU = POLICY + b"assign gpu to controllers\ndevice %s to controllers\ncontroller show\n"
RELEASE = """release {
	stop-holders
	reset %s bus
}
"""

# The person who is logged in from the start and the greeter of the logins after that one: a compositor,
# which has the card and the screen from logind.
GREETD = b"""[terminal]
vt = 7
[initial_session]
command = "env WLR_RENDERER=pixman portal"
user = "user"
[default_session]
command = "env WLR_RENDERER=pixman portal"
user = "_greetd"
"""

# Somebody's program that has the graphics card open for as long as it is there.
HOLDER = b"""[Service]
ExecStart=/bin/bash -c 'exec sleep infinity <>$(ls /dev/dri/card*)'
Restart=on-failure
[Unit]
StartLimitIntervalSec=0
"""

RULES = b"""polkit.addRule(function(action, subject) {
	if (subject.user == "user" && action.id == "org.portal.host.configure") {
		return polkit.Result.YES;
	}
});
"""

USER = "env XDG_RUNTIME_DIR=/run/user/$(id -u user) setpriv --reuid user --regid user --init-groups "


def drivers(machine):
    return [card["driver"] for card in machine.find(CARD)]


def seen_by_daemon(machine, ids):
    devices = json.loads(machine.call("ListDevices"))["devices"]
    return [device for device in devices if device["ids"] == ids]


def home(machine):
    return drivers(machine) == ["e1000e", "e1000e"]


def wait_for(machine, words):
    """Follows the daemon's state, by its own word, until it says so."""
    machine.run(f"grep -q -m 1 -F {shlex.quote(words)} < <(portal-host watch 2>/dev/null)")


def wait_for_return(machine, mark):
    """Both functions of the card."""
    for card in machine.find(CARD):
        machine.hear(f"return from VMs {card['address']}: done", mark)
    expect(home(machine), f"not back: {machine.said(mark)}")


def confined(machine, process, profile):
    said = machine.run(f"cat /proc/{process}/attr/apparmor/current")
    expect(profile in said and "(enforce)" in said, f"AppArmor: {said}")


def no_unit_failed(machine):
    said = machine.run("systemctl --failed --no-legend --plain")
    expect(said == "", f"failed units: {said}")


def the_system_takes_what_was_installed(machine):
    expect(machine.run("systemctl is-system-running --wait") == "running",
           machine.run("systemctl --failed --no-legend --plain"))
    machine.run("systemd-sysusers && systemctl daemon-reload")
    machine.run("id -u portal-door && getent group portal-door")
    said = machine.run("systemd-analyze verify --man=no portal-hostd.service portal-hostd.socket")
    expect(said == "", f"systemd says of the units: {said}")
    print(machine.run("systemd-analyze security --no-pager portal-hostd | tail -n 1"))
    for action, active in (("switch", "yes"), ("guests", "yes"), ("devices", "auth_admin_keep"),
                           ("configure", "auth_admin_keep")):
        said = machine.run(f"pkaction --verbose --action-id org.portal.host.{action}")
        expect(f"implicit active:   {active}" in said, f"polkit: {said}")


def whoever_speaks_to_its_socket_starts_it(machine):
    machine.run("systemctl enable portal-hostd")
    expect(machine.run("systemctl is-enabled portal-hostd.socket") == "enabled", "no socket")
    machine.run("systemctl start portal-hostd.socket")
    expect(machine.run("systemctl is-active portal-hostd", status=3) == "inactive", "started")
    machine.host("status")
    # It answers before it has looked at the machine.
    started = machine.run("systemctl is-active portal-hostd", status=None)
    expect(started in ("active", "activating"), f"not started: {started}")
    machine.run("systemctl restart portal-hostd")
    machine.write("/etc/portal/host.scfg", POLICY)
    machine.run("systemctl reload portal-hostd")
    said = machine.host("status")
    expect(all(name in said for name in ("desk", "play", "fox")), f"its policy: {said}")
    expect("e1000e" in machine.host("list"), "portal-host list")
    # From here on it knows of the hook.
    machine.run("systemctl restart libvirtd")
    confined(machine, "$(pidof libvirtd)", "libvirtd")
    no_unit_failed(machine)


def whoever_is_not_root_may_do_what_polkit_says(machine):
    expect("desk" in machine.as_user("portal-host status"), "who is not root may look")
    first = machine.find(CARD)[0]["address"]
    take = varlink("Take", json.dumps({"devices": [first]}))
    said = machine.as_user(varlink("Switch"), status=1)
    expect("polkit wants to ask somebody first" in said, said)
    said = machine.as_user(take, status=1)
    expect("polkit wants to ask somebody first" in said, said)
    # Whoever sits before the machine, by the policy that was installed.
    machine.as_seated("portal-host switch --host")
    said = machine.as_seated(take, status=1)
    expect("polkit wants to ask somebody first" in said, said)
    expect(home(machine), "the card was moved all the same")
    said = machine.as_user(varlink("Reload"), status=1)
    expect("polkit wants to ask somebody first" in said, said)
    machine.write("/etc/polkit-1/rules.d/10-portal.rules", RULES)
    machine.run("systemctl restart polkit")
    machine.as_user(varlink("Reload"))


def a_controller_gets_its_card_by_being_started(machine):
    first, _ = machine.find(CARD)
    for name in ("desk", "play"):
        machine.write("/tmp/domain.xml", DOMAIN.replace("desk", name).encode())
        machine.virsh("define", "/tmp/domain.xml")
        machine.host("domain", "edit", name, "--device", first["address"], "--apply")
    machine.host("domain", "edit", "desk", "--door", "--apply")
    wait_for(machine, '"domain":"play","role":"controller","state":"off"')
    expect(home(machine), "the host has the card")
    mark = machine.mark()
    machine.virsh("start", "desk")
    wait_for(machine, '"domain":"desk","role":"controller","state":"running"')
    # As the daemon sees it from its sandbox, when it has looked: VFIO's nodes are in QEMU's own /dev.
    machine.run(f"until {varlink('ListDevices')} | grep -q qemu-system; do sleep 0.1; done")
    for card in seen_by_daemon(machine, CARD):
        holders = [holder["name"] for holder in card["holders"]]
        expect(card["driver"] == "vfio-pci", f"driver: {card}")
        expect(any(name.startswith("qemu-system") for name in holders), f"holders: {card}")
    confined(machine, "$(cat /run/libvirt/qemu/desk.pid)", "libvirt-")
    machine.hear("the door of controller desk is open", mark)
    said = machine.run("ps -C portal-door -o user:32=")
    expect(said == "portal-door", f"the door is {said}")
    said = machine.virsh("start", "play", status=1)
    expect("is with controller desk" in said, f"the reason does not come through: {said}")


def a_person_switches_to_another_one(machine):
    mark = machine.mark()
    # The VM has no system that could hear of a shutdown.
    machine.run(f"{seated('portal-host switch play')} >/run/switched 2>&1 & switching=$!")
    machine.hear("stop desk", mark)
    machine.virsh("destroy", "desk")
    said = machine.run("wait $switching; echo $?; cat /run/switched")
    expect(said == "0", f"the switch: {said}")
    expect("running" in machine.virsh("domstate", "play"), "play does not run")
    expect(drivers(machine) == ["vfio-pci", "vfio-pci"], "the card did not stay with VFIO")


def it_comes_back_when_no_controller_runs(machine):
    mark = machine.mark()
    machine.virsh("destroy", "play")
    wait_for_return(machine, mark)


def a_guest_starts_with_the_heap_that_is_planned(machine):
    machine.write("/tmp/domain.xml", FOX.encode())
    machine.virsh("define", "/tmp/domain.xml")
    machine.run("until portal-host status | grep -q 'fox *guest *off'; do sleep 0.1; done")
    machine.as_seated(varlink("StartGuest", '{"guest":"fox"}'))
    expect("running" in machine.virsh("domstate", "fox"), "fox does not run")
    expect(machine.run("stat -c %s /dev/shm/portal-fox") == str(64 << 20), "the heap")
    machine.call("ReportHeap", json.dumps({"guest": "fox", "used": 60 << 20}))
    machine.as_seated(varlink("StopGuest", '{"guest":"fox","force":true}'))
    # What it is started with again is larger, and QEMU's user had the file.
    machine.call("StartGuest", '{"guest":"fox"}')
    expect(machine.run("stat -c %s /dev/shm/portal-fox") == str(76 << 20), "the larger heap")
    machine.call("StopGuest", '{"guest":"fox","force":true}')


def a_graphics_card_is_let_go_and_comes_back(machine):
    gpu = machine.one(GPU)
    device = json.dumps({"device": gpu["address"]})
    expect(any(holder["kind"] == "framebuffer" for holder in gpu["holders"]), f"holders: {gpu}")
    machine.run("usermod -a -G video user && loginctl enable-linger user")
    # One that is still there from a session before is not in the group.
    machine.run("systemctl restart user@$(id -u user)")
    machine.run("install -d -o user -g user ~user/.config ~user/.config/systemd "
                "~user/.config/systemd/user")
    machine.write("/home/user/.config/systemd/user/holder.service", HOLDER)
    machine.run(f"{USER} systemctl --user daemon-reload && {USER} systemctl --user start holder")
    # And one that was made for the moment, which nobody can start again.
    machine.run(f"{USER} systemd-run --quiet --user --unit=passing "
                "bash -c 'exec sleep infinity <>$(ls /dev/dri/card*)'")
    machine.run("until [ $(find /proc/[0-9]*/fd -lname '/dev/dri/card*' | wc -l) = 2 ]; "
                "do sleep 0.1; done 2>/dev/null")
    said = machine.call("ReleaseGpu", device, status=1)
    expect("holder.service" in said or "sleep" in said, f"who holds it: {said}")
    machine.call("ReleaseGpu", json.dumps({"device": gpu["address"], "stopHolders": True}))
    machine.run(f"{USER} systemctl --user is-active holder", status=3)
    taken = machine.one(GPU)
    expect(taken["driver"] == taken["driverOverride"] == "vfio-pci", f"not taken: {taken}")
    machine.call("Return")
    back = machine.one(GPU)
    expect(back["driver"] == gpu["driver"] and back["driverOverride"] is None, f"not back: {back}")
    expect(any(holder["kind"] == "framebuffer" for holder in back["holders"]), f"holders: {back}")
    # It may not open the card before udev has given that to its group, and is begun anew until then.
    machine.run(f"until {USER} systemctl --user is-active --quiet holder; do sleep 0.1; done")
    machine.run(f"{USER} systemctl --user stop holder")


def set_policy(machine, text):
    machine.write("/etc/portal/host.scfg", text)
    machine.run("systemctl reload portal-hostd")


def is_reset_with_its_bus(machine, mark, address):
    """The kernel resets no function of two with the bus by itself, and the bridge's file wants a right that
    the unit has dropped."""
    said = machine.said(mark)
    expect(f"reset the bus of {address} through VFIO" in said, said)
    for words in ("could not reset the bus", "the bus below", "forget"):
        expect(words not in said, f"a further rung was climbed: {said}")


def a_card_of_two_functions_is_reset_with_its_bus(machine):
    gpu = machine.one(GPU)
    set_policy(machine, POLICY + (RELEASE % gpu["address"]).encode())
    mark = machine.mark()
    machine.call("ReleaseGpu", json.dumps({"device": gpu["address"]}))
    is_reset_with_its_bus(machine, mark, gpu["address"])
    machine.call("Return")
    expect(machine.one(GPU)["driver"] == gpu["driver"], "not back")
    set_policy(machine, POLICY)


def wait_shown(machine, user):
    """Waits until a session of this user shows something on the card."""
    machine.run(f"shown() {{ until pid=$(pgrep -u {user} -x portal) && "
                "find /proc/$pid/fd -lname '/dev/dri/card*' | grep -q .; do sleep 0.1; done 2>/dev/null; }; "
                "export -f shown; timeout 120 bash -c shown || "
                "{ journalctl --unit=greetd --output=cat | tail -n 40; false; }")


def is_free(machine):
    """Nobody shows anything on the card, and VFIO has it."""
    machine.run("systemctl is-active greetd", status=3)
    machine.run("pgrep -x portal", status=1)
    card = machine.one(GPU)
    expect(card["driver"] == card["driverOverride"] == "vfio-pci", f"not taken: {card}")


def is_shown_again(machine, gpu):
    machine.run("systemctl is-active greetd")
    wait_shown(machine, "_greetd")
    card = machine.one(GPU)
    expect(card["driver"] == gpu["driver"] and card["driverOverride"] is None, f"not back: {card}")


def a_session_s_card_is_released_with_its_display_manager(machine):
    gpu = machine.one(GPU)
    device = {"device": gpu["address"]}
    machine.write("/etc/greetd/config.toml", GREETD)
    machine.run("systemctl start greetd")
    wait_shown(machine, "user")
    said = machine.host("release-gpu", gpu["address"], "--dry-run", status=3)
    expect(re.search(r"portal \(pid \d+ of session-\w+\.scope\) has /dev/dri/card\d open", said), said)
    said = machine.host("release-gpu", gpu["address"], "--dry-run", "--stop-holders")
    expect(0 < said.find("stop greetd.service") < said.find("stop session-"), said)
    expect("stop systemd-logind" not in said, said)
    said = machine.call("ReleaseGpu", json.dumps(device), status=1)
    expect("portal (pid" in said, said)
    wait_shown(machine, "user")
    machine.call("ReleaseGpu", json.dumps({**device, "stopHolders": True}))
    is_free(machine)
    machine.call("Return")
    is_shown_again(machine, gpu)


def a_controller_gets_a_session_s_card_by_the_policy(machine):
    gpu = machine.one(GPU)
    policy = POLICY_GPU % (gpu["address"][:-1] + "1").encode()
    set_policy(machine, policy)
    machine.write("/tmp/domain.xml", DOMAIN.replace("desk", "show").encode())
    machine.virsh("define", "/tmp/domain.xml")
    machine.host("domain", "edit", "show", "--device", gpu["address"], "--apply")
    wait_for(machine, '"domain":"show","role":"controller","state":"off"')
    said = machine.virsh("start", "show", status=1)
    expect("portal (pid" in said, f"who has it: {said}")
    wait_shown(machine, "_greetd")
    set_policy(machine, policy + (RELEASE % gpu["address"]).encode())
    said = machine.host("switch", "show", "--dry-run")
    expect(0 < said.find("stop greetd.service") < said.find("stop session-"), said)
    mark = machine.mark()
    machine.host("switch", "show")
    expect("running" in machine.virsh("domstate", "show"), "show does not run")
    is_free(machine)
    is_reset_with_its_bus(machine, mark, gpu["address"])
    machine.virsh("destroy", "show")
    machine.hear(f"return from VMs {gpu['address']}: done", mark)
    is_shown_again(machine, gpu)
    machine.run("systemctl stop greetd")
    machine.virsh("undefine", "show")
    set_policy(machine, POLICY)


def starts_with_its_heap(machine, name, heap, user):
    """The hook of the start makes the file, for whom QEMU runs as, and AppArmor lets QEMU have it."""
    machine.run(f"test ! -e {heap}")
    machine.virsh("start", name)
    process = machine.run(f"echo $(cat /run/libvirt/qemu/{name}.pid)")
    confined(machine, process, "libvirt-")
    said = machine.run(f"stat -c '%U %a %s' {heap}; ps -o user:32= {process}; "
                       f"grep -q {heap} /proc/{process}/maps && echo mapped")
    expect(said == f"{user} 600 {16 << 20}\n{user}\nmapped", f"the heap: {said}")
    machine.virsh("destroy", name)
    machine.virsh("undefine", name)


DEFINE = ("portal-run --define vm:{0} --heap ivshmem --heap-size 16M --memory 64M --cpus 1 --network none "
          "--sound off --virt qemu --image {1} </dev/null")


def a_guest_that_portal_run_defines_starts_with_its_heap(machine):
    image = "/var/lib/libvirt/images/{}.img".format
    # QEMU's user may not go below /root, where the key would be.
    machine.write("/etc/portal/portal.scfg", b"vm hen {\n\tkey /var/lib/portal/hen.key\n}\n"
                  b"vm cock {\n\turi qemu:///system\n}\n")
    machine.run(f"truncate -s 1M {image('hen')} {image('cock')}")
    machine.run(DEFINE.format("hen", image("hen")))
    starts_with_its_heap(machine, "hen", "/dev/shm/portal-hen", "libvirt-qemu")
    # A person's runs as the person, but for the group, without which it could not pass libvirt's
    # directories.
    machine.run("usermod -a -G libvirt user")
    machine.run(f"{USER} env HOME=/home/user {DEFINE.format('cock', image('cock'))}")
    uid = machine.run("id -u user")
    starts_with_its_heap(machine, "cock", f"/dev/shm/portal-{uid}-cock", "user")
    machine.run("gpasswd -d user libvirt")
    machine.run("rm /etc/portal/portal.scfg")


def a_configuration_space_that_was_left_open_is_closed(machine):
    address = machine.find(CARD)[0]["address"]
    config = f"/sys/bus/pci/devices/{address}/config"
    machine.run(f"chgrp libvirt {config} && chmod 660 {config}")
    machine.run("mkdir -p /var/lib/portal/host/config-space && "
                "printf 'portal-config-window 1\\nboot %s\\n%s 0 0 644\\nend\\n' "
                f"$(cat /proc/sys/kernel/random/boot_id) {address} "
                ">/var/lib/portal/host/config-space/desk.window")
    machine.call("Recover")
    expect(machine.run(f"stat -c '%U %G %a' {config}") == "root root 644", "still open")


def what_a_killed_daemon_had_begun_is_undone(machine):
    first, _ = machine.find(CARD)
    restarts = int(machine.run("systemctl show --value --property=NRestarts portal-hostd"))
    # A driver's file in which whoever writes to it waits for ever.
    bind = "/sys/bus/pci/drivers/vfio-pci/bind"
    machine.run(f"modprobe vfio-pci && mkfifo /run/never && mount --bind /run/never {bind}")
    mark = machine.mark()
    machine.run("virsh --quiet start desk >/run/started 2>&1 & starting=$!")
    machine.hear(f"bind {first['address']} to vfio-pci", mark)
    machine.run(f"test ! -e /sys/bus/pci/devices/{first['address']}/driver")
    machine.run("systemctl kill --kill-whom=main --signal=KILL portal-hostd")
    # systemd may still be ending who waits in it.
    machine.run(f"umount --lazy {bind}")
    said = machine.run("wait $starting; echo $?; cat /run/started")
    expect(said.startswith("1\n") and "portal-hostd" in said, f"virsh: {said}")
    machine.hear(f"{first['address']} is as it was", mark)
    wait_for(machine, '"changing":false')
    expect(home(machine), f"not back: {machine.said(mark)}")
    for card in machine.find(CARD):
        expect(card["driverOverride"] is None, f"still reserved: {card}")
    now = int(machine.run("systemctl show --value --property=NRestarts portal-hostd"))
    expect(now == restarts + 1, f"{now} restarts instead of {restarts + 1}")
    no_unit_failed(machine)


def vms_outlive_the_daemon(machine):
    machine.virsh("start", "desk")
    machine.run("systemctl stop portal-hostd.socket portal-hostd.service")
    expect("running" in machine.virsh("domstate", "desk"), "desk ended")
    expect(drivers(machine) == ["vfio-pci", "vfio-pci"], "its card was taken away")
    said = machine.virsh("start", "play", status=1)
    expect("portal-hostd, which gives it its devices, cannot be reached" in said, said)
    no_unit_failed(machine)
    machine.run("systemctl start portal-hostd")
    wait_for(machine, '"domain":"desk","role":"controller","state":"running"')
    mark = machine.mark()
    machine.virsh("destroy", "desk")
    wait_for_return(machine, mark)


def audits(machine):
    """What each line of the audit says of what, with what, how it ended, and who."""
    lines = machine.run("journalctl --unit=portal-hostd --output=json PORTAL_AUDIT_OUTCOME=done "
                        "PORTAL_AUDIT_OUTCOME=refused PORTAL_AUDIT_OUTCOME=failed")
    return [json.loads(line) for line in lines.split("\n")]


def the_journal_says_who_did_what(machine):
    user, card, gpu = machine.run("id -u user"), machine.find(CARD)[0]["address"], \
        machine.one(GPU)["address"]
    found = audits(machine)
    names = ("WHAT", "OBJECT", "OUTCOME", "UID")
    said = [tuple(line[f"PORTAL_AUDIT_{name}"] for name in names) for line in found]
    for wanted in (("switch", "play", "done", user), ("switch", "the host", "done", user),
                   ("take", card, "refused", user), ("reload", "", "refused", user),
                   ("reload", "", "done", user), ("start guest", "fox", "done", user),
                   ("stop guest", "fox", "done", "0"), ("release gpu", gpu, "refused", "0"),
                   ("release gpu", gpu, "done", "0"), ("return", "", "done", "0")):
        expect(wanted in said, f"no audit of {wanted}: {said}")
    for line in found:
        expect(line["PORTAL_AUDIT_PID"].isdigit() and line["PORTAL_AUDIT_CONTROLLER"] == "",
               f"who: {line}")
        expect((line["PORTAL_AUDIT_REASON"] == "") == (line["PORTAL_AUDIT_OUTCOME"] == "done"),
               f"why: {line}")
        expect(line["SYSLOG_IDENTIFIER"] == "portal-hostd" and
               line["_SYSTEMD_UNIT"] == "portal-hostd.service", f"from where: {line}")


# What the system keeps from whoever does more than it may: AppArmor's and seccomp's lines of the audit,
# as the kernel writes them and as the journal does.
DENIALS = r'apparmor="DENIED"|type=1326|^SECCOMP '

# A system call that the unit's filter denies ends the daemon, or the door, and is told of.
STRICT = b"""[Service]
SystemCallErrorNumber=kill
"""

# What the tests bring about, by who says it and what.
EXPECTED = [
    "^portal-hostd: no libvirt at qemu:///system: the connection to libvirt ended$",
    "^portal-hostd: uid [0-9]+, .*: refused: polkit wants to ask somebody first: ",
    "^portal-hostd: play may not start: .* is with controller desk, ",
    "^portal-hostd: show may not start: .* is in use: ",
    "^portal-hostd: give to show .* is in use: ",
    # The second function has no name in this test's policy.
    "^portal-hostd: the policy: named by address only: ",
    "^portal-hostd: uid 0, .*: release gpu .*: refused: .* is in use: ",
    "^systemd: portal-hostd.service: Main process exited, code=killed, status=9/KILL$",
    "^systemd: portal-hostd.service: Failed with result 'signal'",
]


def complaints(machine):
    """Since the machine was booted: what was denied, and what Portal's units, and systemd of them, warn
    of that no test brings about."""
    lines = machine.run("journalctl --boot --output=json --output-fields=MESSAGE,SYSLOG_IDENTIFIER "
                        f"--grep={shlex.quote(DENIALS)}", status=None).split("\n")
    for unit in ("portal-hostd.service", "portal-hostd.socket"):
        lines += machine.run("journalctl --boot --output=json --output-fields=MESSAGE,SYSLOG_IDENTIFIER "
                             f"--priority=warning --unit={unit}", status=None).split("\n")
    said = [json.loads(line) for line in lines if line]
    said = [f"{line.get('SYSLOG_IDENTIFIER', 'audit')}: {line['MESSAGE']}" for line in said]
    return [line for line in said if not any(re.search(words, line) for words in EXPECTED)]


def nothing_else_is_complained_of(machine):
    said = complaints(machine)
    expect(not said, "\n".join(said))


def it_is_there_again_before_libvirt_after_a_boot(machine):
    machine.virsh("autostart", "desk")
    machine.reboot()
    expect(machine.run("systemctl is-system-running --wait") == "running",
           machine.run("systemctl --failed --no-legend --plain"))
    wait_for(machine, '"domain":"desk","role":"controller","state":"running"')
    expect(drivers(machine) == ["vfio-pci", "vfio-pci"], "desk runs without its card")
    said = machine.run("journalctl --boot --grep='ordering cycle' --output=cat", status=1)
    mark = machine.mark()
    machine.virsh("destroy", "desk")
    wait_for_return(machine, mark)


def the_daemon_may_let_the_machine_sleep(machine):
    address = machine.one(GPU)["address"]
    # Nothing helps until the machine has slept.
    machine.run("mv /dev/vfio/vfio /dev/vfio/away; S=$(cat /sys/power/suspend_stats/success); "
                "(until [ $(cat /sys/power/suspend_stats/success) != $S ]; do sleep 0.01; done; "
                "mv /dev/vfio/away /dev/vfio/vfio) & waiting=$!")
    machine.send(varlink("ReleaseGpu", json.dumps({"device": address, "suspend": True})))
    slept = machine.monitor.wait_event({"SUSPEND"})
    woke = slept and machine.monitor.wait_event({"WAKEUP"})
    machine.result("ReleaseGpu")
    expect(slept, "the machine did not sleep")
    expect(woke, "the machine did not wake")
    machine.run("wait $waiting")
    taken = machine.one(GPU)
    expect(taken["driver"] == "vfio-pci", f"not taken: {taken}")
    machine.call("Return")
    expect(machine.one(GPU)["driver"] == "virtio-pci", "not back")


TESTS = [
    the_system_takes_what_was_installed,
    whoever_speaks_to_its_socket_starts_it,
    whoever_is_not_root_may_do_what_polkit_says,
    a_controller_gets_its_card_by_being_started,
    a_person_switches_to_another_one,
    it_comes_back_when_no_controller_runs,
    a_guest_starts_with_the_heap_that_is_planned,
    a_guest_that_portal_run_defines_starts_with_its_heap,
    a_graphics_card_is_let_go_and_comes_back,
    a_card_of_two_functions_is_reset_with_its_bus,
    a_session_s_card_is_released_with_its_display_manager,
    a_controller_gets_a_session_s_card_by_the_policy,
    a_configuration_space_that_was_left_open_is_closed,
    what_a_killed_daemon_had_begun_is_undone,
    vms_outlive_the_daemon,
    the_journal_says_who_did_what,
    nothing_else_is_complained_of,
    it_is_there_again_before_libvirt_after_a_boot,
    the_daemon_may_let_the_machine_sleep,
    nothing_else_is_complained_of,
]


def main():
    check_tree()
    with tempfile.TemporaryDirectory() as work:
        machine = System(work, sys.argv[1], DEVICES,
                         {"/etc/systemd/system/portal-hostd.service.d/strict.conf": STRICT},
                         options=["-global", "ICH9-LPC.disable_s3=0"])
        try:
            failed = run_tests(machine, TESTS)
            if failed:
                print(machine.run("journalctl --unit=portal-hostd --unit=greetd "
                                  "--output=short-monotonic | tail -n 150"))
            return 1 if failed else 0
        finally:
            machine.close()


if __name__ == "__main__":
    sys.exit(main())

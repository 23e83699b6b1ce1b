"""portal-host's commands about domains as their user meets them: every wrong input has a message and an
exit status of its own, and what is shown is what would be done.

domain.py PORTAL-HOST: against libvirt's test driver, which needs no daemon; what is changed there is
gone with the process. tests/vm/domain.py does it with a real one.
"""

import functools
import grp
import json
import os
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(TOP, "tests", "harness"))

from portaltest import sentences  # noqa: E402, pylint: disable=wrong-import-position

MACHINE = os.path.join(TOP, "tests", "machines", "two-gpu-desktop.machine")

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3

DOMAINS = """<node>
<domain type='test'><name>desk</name><uuid>15c3be5a-6e47-450d-bef2-f7a3f2e4a65f</uuid>
<memory unit='GiB'>4</memory><vcpu>4</vcpu>
<os><type arch='x86_64' machine='pc-q35-9.0'>hvm</type></os></domain>
<domain type='test'><name>old</name><memory unit='GiB'>4</memory><vcpu>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<hostdev mode='subsystem' type='pci' managed='yes'><source>
<address domain='0' bus='1' slot='0' function='1'/></source></hostdev>
<interface type='hostdev' managed='yes'><source>
<address type='pci' domain='0' bus='5' slot='0' function='0'/></source></interface>
<disk type='nvme' device='disk'><source type='pci' managed='no' namespace='1'>
<address domain='0' bus='4' slot='0' function='0'/></source><target dev='vda' bus='virtio'/></disk>
</devices></domain>
<domain type='test'><name>web</name><memory unit='GiB'>1</memory>
<os><type>hvm</type></os><devices><shmem name='portal-test-web'><model type='ivshmem-plain'/>
<size unit='M'>64</size></shmem></devices></domain>
<domain type='test'><name>modules</name><maxMemory slots='4' unit='GiB'>8</maxMemory>
<memory unit='GiB'>6</memory><cpu><numa><cell id='0' cpus='0' memory='4' unit='GiB'/></numa></cpu>
<os><type>hvm</type></os><devices>
<memory model='dimm'><target><size unit='GiB'>1</size><node>0</node></target></memory>
<memory model='nvdimm'><source><path>/dev/shm/modules</path></source>
<target><size unit='GiB'>1</size><node>0</node></target></memory></devices></domain>
</node>
"""

# Two cores of two threads.
PROCESSORS = """
[/sys/devices/system/cpu]
online = 0-3

[/sys/devices/system/cpu/cpu0/topology]
thread_siblings_list = 0,2

[/sys/devices/system/cpu/cpu1/topology]
thread_siblings_list = 1,3

[/sys/devices/system/cpu/cpu2/topology]
thread_siblings_list = 0,2

[/sys/devices/system/cpu/cpu3/topology]
thread_siblings_list = 1,3

[/sys/kernel/mm/hugepages/hugepages-2048kB]
nr_hugepages = 16
"""


class Shell:
    """portal-host on a recorded machine with a libvirt of its own."""

    def __init__(self, program, work):
        self.program = program
        self.work = work
        with open(MACHINE, encoding="utf-8") as file:
            recorded = file.read().replace("meminfo =\n", "meminfo =\n\tHugepagesize:       2048 kB\n")
        self.machine = self.write("machine", recorded + PROCESSORS)
        self.uri = "test://" + self.write("domains.xml", DOMAINS)
        self.write("host.scfg", "controller work {\n\tdomain desk\n}\n")

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_plain(self, *args):
        return subprocess.run(
            [self.program, "--state", self.work, "--config", os.path.join(self.work, "host.scfg"),
             "--machine", self.machine, *args],
            capture_output=True, text=True, check=False, timeout=120)

    def run(self, *args, uri=None):
        return self.run_plain(*args, "--connect", uri or self.uri)

    def expect(self, status, words, *args, **options):
        """Runs it; the status and the words on standard error. Returns standard output."""
        done = self.run(*args, **options)
        said = done.stderr.strip()
        assert done.returncode == status, f"{args}: status {done.returncode}, not {status}: {said}"
        assert words in said, f"{args}: {said!r} lacks {words!r}"
        assert status == DONE or "changed" not in done.stdout, done.stdout
        return done.stdout

    def edit(self, status, words, *args):
        return self.expect(status, words, "domain", "edit", "desk", *args)


def wrong_command_lines_are_told_apart(shell):
    shell.expect(USAGE, "expected: domain show DOMAIN", "domain")
    shell.expect(USAGE, "expected: domain show DOMAIN", "domain", "delete", "desk")
    shell.expect(USAGE, "an argument is missing", "domain", "prepare")
    shell.expect(USAGE, "an argument is missing", "domain", "show")
    shell.expect(USAGE, "no such option here: --all", "domain", "edit", "desk", "--all")
    shell.edit(USAGE, "exclude each other", "--apply", "--dry-run")
    for option, value in (
            ("--device", "01:00.0,rom"), ("--device", "01:00.0,what=1"),
            ("--device", "01:00.0,rom-bar=maybe"), ("--pin", "4"), ("--pin", "x=4"),
            ("--pin", "0="), ("--evdev", "/tmp/x"), ("--evdev", "/dev/input/x,toggle=f1"),
            ("--evdev", "/dev/input/x,grab=some"), ("--suspend-to-mem", "yes"),
            ("--suspend-to-disk", ""), ("--hugepages", "much"), ("--hugepages", "3"),
            ("--prepare-heaps", "many"), ("--prepare-heaps", "65"),
            ("--prepare-heaps", "1,size=0"), ("--heap", "ivshmem"), ("--heap", "paper,path=/x,size=1M"),
            ("--heap", "ivshmem,path=/dev/shm/x,size=8M"),
            ("--channel", "string"), ("--channel", "vsock,cid=2"), ("--key", "relative"),
            ("--guest", "=web"), ("--guest", "web="), ("--guest", "a b=web"),
            ("--guest-name", ""), ("--guest-name", "a/b")):
        shell.edit(USAGE, f"expected: {option}", option, value)
    shell.edit(USAGE, "--device wants a value", "--device", "")
    shell.expect(USAGE, "expected: heap attach|detach", "heap")
    shell.expect(USAGE, "an argument is missing", "heap", "attach", "desk")
    shell.expect(USAGE, "no number of seconds", "heap", "detach", "desk", "web", "--timeout", "0")


def what_contradicts_itself_is_told(shell):
    shell.edit(USAGE, "said twice, and counts once: --hugepages", "--hugepages", "2M",
               "--hugepages", "off")
    shell.edit(USAGE, "said twice, and counts once: --suspend-to-mem=off", "--suspend-to-mem", "on",
               "--suspend-to-mem=off")
    shell.edit(USAGE, "0000:01:00.0 is both put in and taken out", "--device", "01:00.0",
               "--remove-device", "01:00.0")
    shell.edit(USAGE, "0000:01:00.1 is both put in and taken out: --device takes all functions",
               "--device", "01:00.0", "--remove-device", "01:00.1")
    shell.edit(USAGE, "/dev/input/event3 is both put in and taken out", "--evdev",
               "/dev/input/event3,grab=all", "--remove-evdev", "/dev/input/event3")
    shell.edit(USAGE, "web is both put in and taken out", "--guest", "web=old", "--remove-guest",
               "web")
    # The same function can be opened once.
    shell.expect(REFUSED, "old: it has 0000:04:00.0 as a disk already", "domain", "edit", "old",
                 "--device", "04:00.0")


def what_is_not_there_is_told_apart(shell):
    shell.expect(FAILED, "libvirt has no domain nobody", "domain", "show", "nobody")
    shell.expect(FAILED, "libvirt has no domain nobody", "domain", "edit", "nobody")
    shell.expect(FAILED, "libvirt does not answer at qemu+unix:///system?socket=/nowhere",
                 "domain", "show", "desk", uri="qemu+unix:///system?socket=/nowhere")
    shell.expect(FAILED, "libvirt does not answer at no-uri", "domain", "edit", "desk",
                 uri="no-uri")
    shell.edit(FAILED, "there is no PCI function 0f:00.0", "--device", "0f:00.0")
    shell.edit(FAILED, "neither a PCI address nor the name", "--remove-device", "ghost")
    shell.edit(FAILED, "libvirt has no domain nobody", "--guest", "nobody")
    shell.edit(REFUSED, "old has no heap", "--guest", "old")
    shell.edit(REFUSED, "missing.rom: No such file", "--device",
               f"01:00.0,rom={shell.work}/missing.rom")
    shell.expect(REFUSED, "/dev/shm/portal-test-web: No such file", "heap", "attach", "desk", "web")
    assert "no heap of web is in desk" in shell.expect(DONE, "", "heap", "detach", "desk", "web")


def what_stands_in_the_way_refuses_a_change(shell):
    shell.edit(REFUSED, "0000:00:01.0 is a bridge", "--device", "00:01.0", "--apply")
    shell.edit(REFUSED, "(system, driver i801_smbus) is in the same IOMMU group", "--device",
               "00:1f.3", "--apply")
    done = shell.run("--json", "domain", "edit", "desk", "--device", "00:1f.3", "--dry-run")
    said = json.loads(done.stdout)
    assert done.returncode == REFUSED and said["diff"] is None and said["token"] is None, said
    shell.edit(REFUSED, "the host has no processor 9 (it has 0-3)", "--pin", "0=9", "--apply")
    shell.edit(REFUSED, "every processor the host has", "--pin", "0=0-3", "--apply")
    shell.edit(REFUSED, "the virtual processors together", "--pin", "0=0-1", "--pin", "1=2-3")
    shell.edit(REFUSED, "the guest has no virtual processor 4", "--pin", "4=1", "--apply")
    shell.edit(REFUSED, "not processors (4,12 or 4-7)", "--pin", "0=one", "--apply")
    shell.edit(REFUSED, "it has 2 cores and keeps the first",
               "--pin", "auto")
    shell.edit(REFUSED, "the host has no huge pages of 1 GiB", "--hugepages", "1G", "--apply")
    shell.expect(REFUSED, "only where its machine has PCI Express", "domain", "edit", "old",
                 "--prepare-heaps", "1")
    shell.edit(REFUSED, "somebody changed it since it was shown", "--suspend-to-mem", "off",
               "--apply", "--expect", "0123456789abcdef")
    # As what another domain has it makes no difference.
    for device in ("05:00.0", "04:00.0"):
        shell.edit(DONE, f"domain old has 0000:{device} too", "--device", device)
    # One that is there is changed, whatever it is, and not put in twice.
    said = shell.expect(DONE, "", "domain", "edit", "old", "--device", "05:00.0")
    added = [line for line in said.splitlines() if line.startswith("+")]
    assert added == ["+    <interface type=\"hostdev\" managed=\"no\">"], said


def the_change_is_shown_and_made(shell):
    options = ["--device", "01:00.0,rom-bar=off", "--suspend-to-mem", "off", "--pin", "0=3",
               "--pin-emulator", "0", "--hugepages", "2M", "--prepare-heaps", "1",
               "--evdev", "/dev/input/by-id/usb-Logitech_USB_Keyboard-event-kbd,grab=all",
               "--guest", "web"]
    before = shell.expect(DONE, "", "domain", "show", "desk")
    done = shell.run("domain", "edit", "desk", *options)
    assert done.returncode == DONE, done.stderr
    for line in ("+    <suspend-to-mem enabled=\"no\"/>", "+    <vcpupin vcpu=\"0\" cpuset=\"3\"/>",
                 "+      <rom bar=\"off\"/>", "+    <shmem name=\"portal-test-web\">",
                 "+      <page size=\"2048\" unit=\"KiB\"/>", "nothing was changed: --apply does it"):
        assert line in done.stdout, f"{line} in {done.stdout}"
    for note in ("0000:01:00.1 comes along", "domain old has 0000:01:00.1 too",
                 "processors 1,3 are one core", "has 16 huge pages of 2 MiB set aside"):
        assert note in done.stderr, f"{note} in {done.stderr}"
    assert shell.expect(DONE, "", "domain", "show", "desk") == before, "a dry run changed something"
    # The token of what was shown lets the change through as long as nobody else made one.
    shown = json.loads(shell.run("--json", "domain", "edit", "desk", *options).stdout)
    assert not shown["changed"] and shown["diff"] and len(shown["findings"]) == 5, shown
    # The default size of the machine is 2 MiB.
    done = shell.run("domain", "edit", "desk", "--hugepages", "on")
    assert "the host has 16 huge pages of 2 MiB set aside, and the VM wants 2048" in done.stderr, done
    # A module is the VM's own memory; an nvdimm lies in a file.
    done = shell.run("domain", "edit", "modules", "--hugepages", "on")
    assert "the VM wants 2560: " in done.stderr, done
    done = shell.run("domain", "edit", "desk", "--key", "/nowhere/key")
    assert "/nowhere/key: No such file or directory; the VM does not start" in done.stderr, done
    done = shell.run("domain", "edit", "desk", "--apply", "--expect", shown["token"], *options)
    assert "changed desk" in done.stdout, done
    assert "is like this already" in shell.edit(DONE, "", "--apply", "--suspend-to-mem", "default")


def a_controller_gets_its_door_as_the_policy_says(shell):
    key = os.path.join(shell.work, "work.key")
    shell.edit(REFUSED, "gives no controller with domain desk a door", "--door", "--apply")
    for door, words in ((f"unix:/run/door {key}", "where no virtual machine comes"),
                        ("virtio-serial:/run/door", "has no key"), (f"paper:/x {key}", "a transport is")):
        shell.write("host.scfg", f"controller work {{\n\tdomain desk\n\tdoor {door}\n}}\n")
        shell.edit(REFUSED, words, "--door", "--apply")
    shell.write("host.scfg", "controller work {\n\tdomain desk\n"
                "\tdoor virtio-serial:/run/portal/work.door /etc/portal/work.key\n}\n")
    said = shell.run("domain", "edit", "desk", "--door")
    assert "the key /etc/portal/work.key is below /etc: where AppArmor" in said.stderr, said
    shell.write("host.scfg", "controller work {\n\tdomain desk\n"
                f"\tdoor virtio-serial:/run/portal/work.door {key}\n}}\n")
    for name in ("desk", "work"):
        done = shell.run("domain", "edit", name, "--door")
        assert done.returncode == DONE and f"the key {key} is made" in done.stderr, done
        for line in ("+      <source mode=\"bind\" path=\"/run/portal/work.door\"/>",
                     "+      <target type=\"virtio\" name=\"org.portal.host.0\"/>",
                     f"name=\"opt/io.systemd.credentials/portal.door\" file=\"{key}\""):
            assert line in done.stdout, f"{line} in {done.stdout}"
        assert not os.path.exists(key), "a dry run made a key"
    assert "changed desk" in shell.edit(DONE, "", "--door", "--apply")
    assert os.stat(key).st_mode & 0o777 == 0o600
    with open(key, encoding="ascii") as file:
        made = file.read()
    shell.edit(DONE, "", "--door", "--apply")
    with open(key, encoding="ascii") as file:
        assert file.read() == made, "the key was made anew"
    assert "is like this already" in shell.edit(DONE, "", "--remove-door")


def a_controller_is_found_by_its_name_in_the_policy(shell):
    assert "domain         desk" in shell.expect(DONE, "", "domain", "show", "work")


def what_a_domain_has_is_shown(shell):
    assert shell.run_plain("remember", "01:00.1", "sound").returncode == DONE
    text = shell.expect(DONE, "", "domain", "show", "old")
    assert "0000:01:00.1" in text and "libvirt" in text and "sound" in text, text
    shown = json.loads(shell.run("--json", "domain", "show", "old").stdout)
    entry = {"guest": None, "romBar": "default", "romFile": None, "managed": True}
    assert shown["devices"] == [
        {**entry, "host": "0000:04:00.0", "managed": False, "name": None},
        {**entry, "host": "0000:05:00.0", "name": None},
        {**entry, "host": "0000:01:00.1", "name": "sound"}], shown
    assert (shown["memory"], shown["vcpus"], shown["state"]) == (4 << 30, 2, "running"), shown
    shown = json.loads(shell.run("--json", "domain", "show", "web").stdout)
    assert shown["heaps"] == [
        {"path": "/dev/shm/portal-test-web", "size": 64 << 20, "kind": "ivshmem"}], shown


def configuration_space_stays_shut_unless_the_policy_says_so(shell):
    for args, words in ((["config-space"], "expected: config-space open VM"),
                        (["config-space", "shut"], "expected: config-space open VM")):
        done = shell.run_plain(*args)
        assert done.returncode == USAGE and words in done.stderr, done
    done = shell.run_plain("config-space", "open", "desk", "01:00.0")
    assert done.returncode == REFUSED and "a recorded machine" in done.stderr, done
    root = os.path.join(shell.work, "root")
    where = os.path.join(root, "sys/devices/pci0000:00/0000:00:01.0")
    os.makedirs(where)
    os.makedirs(os.path.join(root, "sys/bus/pci/devices"))
    os.symlink("../../../devices/pci0000:00/0000:00:01.0",
               os.path.join(root, "sys/bus/pci/devices/0000:00:01.0"))
    for name, text in (("vendor", "0x8086"), ("device", "0x1"), ("class", "0x020000"), ("config", "")):
        with open(os.path.join(where, name), "w", encoding="ascii") as file:
            file.write(text)

    os.makedirs(os.path.join(root, "proc/sys/kernel/random"))
    boot = os.path.join(root, "proc/sys/kernel/random/boot_id")

    def run(*args):
        done = subprocess.run(
            [shell.program, "--state", shell.work, "--config",
             os.path.join(shell.work, "host.scfg"), "--root", root, "config-space", *args],
            capture_output=True, text=True, check=False,
            input="<domain><devices><hostdev type='pci'><source><address domain='0' bus='0' "
                  "slot='1' function='0'/></source></hostdev></devices></domain>")
        mode = os.stat(os.path.join(where, "config")).st_mode & 0o777
        return done.returncode, done.stderr, mode

    shut = run("close", "desk")[2]
    for args, words in ((["open", "desk"], "an argument is missing"),
                        (["close", "a", "b"], "one argument too many"),
                        (["hook", "desk"], "an argument is missing")):
        status, said, mode = run(*args)
        assert status == USAGE and words in said and mode == shut, (status, said)
    status, said, mode = run("open", "desk", "00:01.0")
    assert status == REFUSED and "it is off" in said and mode == shut, (status, said)
    assert run("hook", "desk", "prepare", "begin", "-") == (DONE, "", shut)
    group = grp.getgrgid(os.getegid()).gr_name
    shell.write("host.scfg", f"config-space {group}\n")
    status, said, mode = run("hook", "desk", "prepare", "begin", "-")
    assert status == FAILED and "boot id cannot be read" in said and mode == shut, (status, said)
    with open(boot, "w", encoding="ascii") as file:
        file.write("this-boot\n")
    assert run("hook", "desk", "prepare", "begin", "-") == (DONE, "", 0o660)
    assert run("hook", "desk", "start", "begin", "-") == (DONE, "", 0o660)
    assert run("hook", "desk", "started", "begin", "-") == (DONE, "", shut)
    assert run("open", "desk", "00:01.0") == (DONE, "", 0o660)
    assert run("hook", "desk", "release", "end", "-") == (DONE, "", shut)
    # The policy changes while it is open: it is closed all the same.
    for policy in ("", "what is this\n"):
        shell.write("host.scfg", f"config-space {group}\n")
        assert run("hook", "desk", "prepare", "begin", "-") == (DONE, "", 0o660)
        shell.write("host.scfg", policy)
        assert run("hook", "desk", "stopped", "end", "-") == (DONE, "", shut)


TESTS = [
    configuration_space_stays_shut_unless_the_policy_says_so,
    wrong_command_lines_are_told_apart,
    what_contradicts_itself_is_told,
    what_is_not_there_is_told_apart,
    what_stands_in_the_way_refuses_a_change,
    the_change_is_shown_and_made,
    a_controller_gets_its_door_as_the_policy_says,
    a_controller_is_found_by_its_name_in_the_policy,
    what_a_domain_has_is_shown,
]

sentences.run_each(TESTS, sys.argv[2:], functools.partial(Shell, sys.argv[1]))

"""A guest within the machine of hostdev.py, which the machine's own libvirt starts with KVM: a stock Debian
kernel and a shell, which answers at the machine's second serial port.
"""

import os

DOMAIN = """<domain type='kvm'><name>{name}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/run/kernel</kernel>
<initrd>/run/guest</initrd>
<cmdline>console=ttyS0 panic=-1 mitigations=off</cmdline></os>
<features><acpi/></features><cpu mode='host-passthrough'/>
<devices><controller type='usb' model='none'/><memballoon model='none'/>
<serial type='file'><source path='/run/console'/></serial>
<channel type='pipe'><source path='/dev/vport0p2'/><target type='virtio' name='shell'/></channel>
{devices}</devices></domain>
"""


def guest_domain(name, devices=""):
    """The definition of one, with more devices than the shell needs, as XML."""
    return DOMAIN.format(name=name, devices=devices)


def put_guest(machine, archive):
    """What such domains boot: this kernel, and the initramfs in that file of this machine."""
    tree = os.environ["PORTAL_KERNEL_TREE"]
    version, = os.listdir(os.path.join(tree, "usr/lib/modules"))
    machine.run(f"cp /lower{tree}/usr/lib/modules/{version}/vmlinuz /tree/run/kernel")
    machine.run(f"cp /lower{archive} /tree/run/guest")

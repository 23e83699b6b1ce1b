"""portal-hostd on a recorded machine whose drivers can be changed, with the domains of libvirt's test
driver: no machine runs here. See hostdtest.py."""

import os

from hostdtest import Hostd, hostd_write

NODE = """<node><cpu><mhz>1000</mhz><model>test</model><active>1</active><nodes>1</nodes>
<sockets>1</sockets><cores>1</cores><threads>1</threads></cpu><memory>8192000</memory>%s</node>
"""
DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type>hvm</type></os>
<test:runstate>%d</test:runstate></domain>
"""


def domain(name, running=False):
    return DOMAIN % (name, 1 if running else 5)


def create(work, policy, domains, machine="two-gpu-desktop", **environment):
    """A daemon that is to be started; domains: their definitions."""
    node = os.path.join(work, "node.xml")
    hostd_write(node, NODE % "".join(domains))
    return Hostd(work, policy, "--uri", f"test://{node}", machine=machine, **environment)


def known(hostd):
    """A connection to it, which knows by now what libvirt has."""
    link = hostd.link()
    link.wait_for("GetState", lambda said: said.get("libvirtProblem") is None)
    return link


def begin(finish, work, policy, *names, machine="two-gpu-desktop", running=()):
    """One that takes orders, with domains of these names: (it, a connection to it)."""
    hostd = create(work, policy, [domain(name, name in running) for name in names], machine,
                   MODEL_SOCKET=os.path.join(work, "model")).start()
    finish.callback(hostd.stop)
    return hostd, known(hostd)

"""Checks that the trust domains stay apart: what each folder may include, and what portal links.

layering.py CHECKOUT PORTAL: the build enforces most of it, since a folder sees the headers only of
the libraries it links; this catches relative paths and a link line grown too generous.
"""

import pathlib
import re
import subprocess
import sys

# Each folder that is a trust domain, and the other folders of this project that it may include.
DOMAINS = {
    "protocol": set(),
    "config": {"protocol"},
    "compositor": {"config"},
    "compositor/control": set(),
    "compositor/bridge": {"protocol", "config", "compositor/control", "host-vfio/confine"},
    "compositor/launcher": {"protocol", "config", "host-vfio", "compositor/control"},
    "guest-agent": {"protocol"},
    "host-vfio": {"protocol", "config", "host-vfio/confine"},
    "host-vfio/confine": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def domain_of(path):
    """The innermost domain that holds a file, as a path from the checkout."""
    parents = [str(parent) for parent in path.parents]
    return next((parent for parent in parents if parent in DOMAINS), None)


def headers_by_name(top):
    names = {}
    for domain in DOMAINS:
        for header in (top / domain).rglob("*.h"):
            relative = header.relative_to(top)
            names.setdefault(header.name, set()).add(domain_of(relative))
    return names


def wrong_includes(top):
    names = headers_by_name(top)
    for domain in DOMAINS:
        for source in sorted((top / domain).rglob("*.[ch]")):
            relative = source.relative_to(top)
            if domain_of(relative) != domain:
                continue
            for include in INCLUDE.findall(source.read_text(encoding="utf-8")):
                owners = names.get(pathlib.PurePath(include).name)
                if owners and domain not in owners and not owners & DOMAINS[domain]:
                    yield f"{relative} includes {include} of {' or '.join(sorted(owners))}"


def channel_symbols(portal):
    symbols = subprocess.run(
        ["nm", "--defined-only", portal], check=True, capture_output=True, text=True
    ).stdout
    prefixes = ("portal_frame_", "portal_channel_", "portal_transport_", "portal_wire_", "portal_heap_")
    for line in symbols.splitlines():
        name = line.split()[-1]
        if name.startswith(prefixes):
            yield f"portal links {name}"


def main():
    findings = [*wrong_includes(pathlib.Path(sys.argv[1])), *channel_symbols(sys.argv[2])]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


sys.exit(main())

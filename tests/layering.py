"""Checks that the trust domains stay apart: what each folder may include, and what portal links.

layering.py CHECKOUT PORTAL PROTOCOL: the build enforces most of it, since a folder sees the headers
only of the libraries it links; this catches relative paths and a link line grown too generous. PORTAL
is the compositor, PROTOCOL the library of protocol/, of which the compositor must hold nothing.
"""

import pathlib
import re
import subprocess
import sys

# Each folder that is a trust domain, and the other folders of this project that it may include.
DOMAINS = {
    "protocol": set(),
    "config": set(),
    "compositor": {"config"},
    "compositor/control": set(),
    "compositor/bridge": {"protocol", "config", "compositor/control", "host-vfio/confine"},
    "compositor/launcher": {"protocol", "config", "host-vfio", "compositor/control"},
    "guest-agent": {"protocol"},
    "host-vfio": {"protocol", "config", "host-vfio/confine"},
    "host-vfio/confine": set(),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
SYSTEM_INCLUDE = re.compile(r"^\s*#\s*include\s+<([^>]+)>", re.MULTILINE)

# The frames' codec and the checks of Wayland messages: what reads a guest's bytes first.
CHECKS = ["frame", "hello", "objects", "quota", "tables", "wire"]
# They need nothing but libc; hello.c reads this machine's boot id.
CHECKS_HEADERS = {
    "assert.h",
    "errno.h",
    "fcntl.h",
    "stdarg.h",
    "stdbool.h",
    "stddef.h",
    "stdint.h",
    "stdio.h",
    "stdlib.h",
    "string.h",
    "unistd.h",
}
CHECKS_OWN = {"wire-impl.h", "wire-tables.h"} | {f"{name}.h" for name in CHECKS}


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


def checks_sources(top):
    protocol = top / "protocol"
    for name in CHECKS:
        yield from sorted(protocol.glob(f"{name}.[ch]"))
    yield from sorted(protocol.glob("wire[_-]*.[ch]"))


def wrong_includes_of_checks(top):
    sources = list(checks_sources(top))
    if len(sources) < 2 * len(CHECKS):
        yield "protocol: the sources of the checks are not where they were"
    for source in sources:
        text = source.read_text(encoding="utf-8")
        wrong = set(SYSTEM_INCLUDE.findall(text)) - CHECKS_HEADERS
        wrong |= set(INCLUDE.findall(text)) - CHECKS_OWN
        for include in sorted(wrong):
            yield f"{source.relative_to(top)} includes {include}: the checks need nothing of it"


def defined_symbols(binary):
    symbols = subprocess.run(
        ["nm", "--defined-only", "--extern-only", "--format=posix", binary],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = {line.split()[0] for line in symbols.splitlines() if len(line.split()) > 1}
    return {name for name in names if name.startswith("portal_")}


def channel_symbols(portal, protocol):
    forbidden = defined_symbols(protocol)
    if not forbidden:
        yield f"{protocol} has no symbols to look for"
    for name in sorted(forbidden & defined_symbols(portal)):
        yield f"portal links {name}"


def main():
    top = pathlib.Path(sys.argv[1])
    findings = [
        *wrong_includes(top),
        *wrong_includes_of_checks(top),
        *channel_symbols(sys.argv[2], sys.argv[3]),
    ]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


sys.exit(main())

"""Makes the tables of protocol/tables.h from Wayland protocol XML and an allow-list.

scanner.py code|header ALLOW-LIST OUTPUT XML...

Only what the allow-list's globals can reach through new_id arguments is written, and of it only
the messages that exist at the versions the list allows: a message that is not in the tables cannot
be sent, so nothing has to be forbidden by name.
"""

import sys
import xml.etree.ElementTree as ElementTree

# Always there, without being offered: the display is object 1 and makes the other two.
CORE = "wl_display"

FD_KINDS = {"heap": "PORTAL_WIRE_FD_HEAP", "blob": "PORTAL_WIRE_FD_BLOB",
            "pipe": "PORTAL_WIRE_FD_PIPE"}


class Failure(Exception):
    pass


class Argument:
    def __init__(self, element):
        self.name = element.get("name")
        self.type = element.get("type")
        self.interface = element.get("interface")
        self.nullable = element.get("allow-null") == "true"
        self.fd_kind = None


class Message:
    def __init__(self, element):
        self.name = element.get("name")
        self.since = int(element.get("since", "1"))
        self.destructor = element.get("type") == "destructor"
        self.args = []
        for arg in element.findall("arg"):
            if arg.get("type") == "new_id" and arg.get("interface") is None:
                # On the wire an untyped new_id is preceded by its interface's name and version.
                self.args += [Argument(ElementTree.Element("arg", name="interface", type="string")),
                              Argument(ElementTree.Element("arg", name="version", type="uint"))]
            self.args.append(Argument(arg))

    def creates(self):
        return [arg.interface for arg in self.args if arg.type == "new_id" and arg.interface]


class Interface:
    def __init__(self, element):
        self.name = element.get("name")
        self.declared = int(element.get("version"))
        self.requests = [Message(e) for e in element.findall("request")]
        self.events = [Message(e) for e in element.findall("event")]
        self.version = 0
        self.is_global = False

    def messages(self):
        return self.requests + self.events


def read_allow_list(path):
    offered, fd_kinds = {}, {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            words = line.split("#", 1)[0].split()
            if not words:
                continue
            if len(words) == 3 and words[0] == "global" and words[2].isdigit():
                offered[words[1]] = int(words[2])
            elif len(words) == 3 and words[0] == "fd" and words[2] in FD_KINDS:
                fd_kinds[words[1]] = words[2]
            else:
                raise Failure(f"{path}:{number}: not understood")
    return offered, fd_kinds


def read_interfaces(paths):
    interfaces = {}
    for path in paths:
        for element in ElementTree.parse(path).getroot().iter("interface"):
            interfaces[element.get("name")] = Interface(element)
    return interfaces


def reach(interfaces, interface, version):
    """Marks what an object of this interface can create; a child has its parent's version."""
    version = min(version, interface.declared)
    if version <= interface.version:
        return
    interface.version = version
    for message in interface.messages():
        if message.since <= version:
            for name in message.creates():
                if name not in interfaces:
                    raise Failure(f"{interface.name}.{message.name}: no XML has {name}")
                reach(interfaces, interfaces[name], version)


def select(interfaces, offered):
    for name, version in offered.items():
        if name not in interfaces:
            raise Failure(f"{name}: no such interface in the XML files")
        if version > interfaces[name].declared:
            raise Failure(f"{name}: the XML has version {interfaces[name].declared} only")
        interfaces[name].is_global = True
        reach(interfaces, interfaces[name], version)
    reach(interfaces, interfaces[CORE], 1)
    chosen = [interface for interface in interfaces.values() if interface.version]
    for interface in chosen:
        for kind in ("requests", "events"):
            messages = getattr(interface, kind)
            kept = [m for m in messages if m.since <= interface.version]
            if kept != messages[:len(kept)]:
                raise Failure(f"{interface.name}: opcodes are not in the order of versions")
            setattr(interface, kind, kept)
    # wl_display first: index 0 and the interface of object 1.
    return sorted(chosen, key=lambda i: (i.name != CORE, i.name))


def set_fd_kinds(chosen, fd_kinds):
    unused = set(fd_kinds)
    for interface in chosen:
        for message in interface.messages():
            name = f"{interface.name}.{message.name}"
            for arg in message.args:
                if arg.type == "fd":
                    if name not in fd_kinds:
                        raise Failure(f"{name}: say in the allow-list what its descriptor is")
                    arg.fd_kind = fd_kinds[name]
                    unused.discard(name)
    if unused:
        raise Failure(f"{', '.join(sorted(unused))}: no such descriptor")


def constant(interface):
    return f"PORTAL_WIRE_{interface}".upper()


def arg_code(arg, indexes):
    if arg.type in ("object", "new_id"):
        if arg.interface is None:
            interface = "PORTAL_WIRE_ANY"
        elif arg.interface in indexes:
            interface = constant(arg.interface)
        else:
            interface = "PORTAL_WIRE_NONE"
    else:
        interface = "PORTAL_WIRE_NONE"
    kind = FD_KINDS[arg.fd_kind] if arg.fd_kind else "PORTAL_WIRE_FD_NONE"
    nullable = "true" if arg.nullable else "false"
    return f"{{PORTAL_WIRE_ARG_{arg.type.upper()}, {interface}, {kind}, {nullable}}}"


def write_messages(out, interface, kind, messages, indexes):
    for message in messages:
        if message.args:
            out.write(f"static const struct portal_wire_arg "
                      f"{interface.name}_{kind}_{message.name}[] = {{\n")
            for arg in message.args:
                out.write(f"\t{arg_code(arg, indexes)}, /* {arg.name} */\n")
            out.write("};\n")
    if not messages:
        return
    out.write(f"static const struct portal_wire_message {interface.name}_{kind}s[] = {{\n")
    for message in messages:
        args = f"{interface.name}_{kind}_{message.name}" if message.args else "NULL"
        fds = sum(arg.type == "fd" for arg in message.args)
        destructor = "true" if message.destructor else "false"
        out.write(f'\t{{"{message.name}", {args}, {len(message.args)}, {fds}, '
                  f"{message.since}, {destructor}}},\n")
    out.write("};\n")


def write_code(out, chosen):
    indexes = {interface.name for interface in chosen}
    out.write('/* Made by protocol/scanner.py. */\n#include <stddef.h>\n\n'
              '#include "wire-tables.h"\n\n')
    for interface in chosen:
        write_messages(out, interface, "request", interface.requests, indexes)
        write_messages(out, interface, "event", interface.events, indexes)
    out.write("\nconst struct portal_wire_interface "
              "portal_wire_interfaces[PORTAL_WIRE_INTERFACES] = {\n")
    for interface in chosen:
        requests = f"{interface.name}_requests" if interface.requests else "NULL"
        events = f"{interface.name}_events" if interface.events else "NULL"
        is_global = "true" if interface.is_global else "false"
        out.write(f'\t[{constant(interface.name)}] = {{"{interface.name}", {requests}, {events}, '
                  f"{len(interface.requests)}, {len(interface.events)}, {interface.version}, "
                  f"{is_global}}},\n")
    out.write("};\n")


def write_header(out, chosen):
    out.write("/* Made by protocol/scanner.py. */\n#ifndef PORTAL_WIRE_TABLES_H\n"
              '#define PORTAL_WIRE_TABLES_H\n\n#include "tables.h"\n\n'
              "enum portal_wire_interface_index {\n")
    for interface in chosen:
        out.write(f"\t{constant(interface.name)},\n")
    out.write("\tPORTAL_WIRE_INTERFACES,\n};\n\n")
    for interface in chosen:
        for kind, messages in (("REQUEST", interface.requests), ("EVENT", interface.events)):
            for opcode, message in enumerate(messages):
                name = f"{interface.name}_{message.name}".upper()
                out.write(f"#define PORTAL_{kind}_{name} {opcode}\n")
    out.write("\nextern const struct portal_wire_interface "
              "portal_wire_interfaces[PORTAL_WIRE_INTERFACES];\n\n#endif\n")


def main():
    if len(sys.argv) < 5 or sys.argv[1] not in ("code", "header"):
        sys.exit(__doc__)
    try:
        offered, fd_kinds = read_allow_list(sys.argv[2])
        chosen = select(read_interfaces(sys.argv[4:]), offered)
        set_fd_kinds(chosen, fd_kinds)
    except (Failure, OSError, ElementTree.ParseError) as failure:
        sys.exit(f"scanner.py: {failure}")
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        (write_code if sys.argv[1] == "code" else write_header)(out, chosen)


main()

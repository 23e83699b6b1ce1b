"""Files as an initramfs archive (cpio, "newc"), as Linux's initramfs documentation defines it."""

import os


def _entry(name, mode, data, owner=0):
    name = name.encode() + b"\0"
    fields = [0, mode, owner, owner, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    head = header + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def pack(files):
    """An archive of {absolute path: bytes, or (bytes, mode), or (bytes, mode, owner's id)}, with
    the directories they lie in."""
    archive = b""
    made = set()
    for path, content in files.items():
        given = content if isinstance(content, tuple) else (content,)
        data, mode, owner = (*given, 0o644, 0)[:3] if len(given) == 1 else (*given, 0)[:3]
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            directory = os.path.join(*parts[:depth])
            if directory not in made:
                made.add(directory)
                archive += _entry(directory, 0o040755, b"")
        archive += _entry(path.strip("/"), 0o100000 | mode, data, owner)
    return archive + _entry("TRAILER!!!", 0, b"")

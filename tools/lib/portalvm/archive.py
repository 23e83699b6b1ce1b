"""Files as an initramfs archive (cpio, "newc"), as Linux's initramfs documentation defines it."""

import os


def _entry(name, mode, data):
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0]
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    head = header + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def pack(files):
    """An archive of {absolute path: bytes or (bytes, mode)}, with the directories they lie in."""
    archive = b""
    made = set()
    for path, content in files.items():
        data, mode = content if isinstance(content, tuple) else (content, 0o644)
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            directory = os.path.join(*parts[:depth])
            if directory not in made:
                made.add(directory)
                archive += _entry(directory, 0o040755, b"")
        archive += _entry(path.strip("/"), 0o100000 | mode, data)
    return archive + _entry("TRAILER!!!", 0, b"")

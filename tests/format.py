"""Checks that every C file is laid out as the checkout's .clang-format has it.

format.py CLANG-FORMAT CHECKOUT: mend what it names with `clang-format -i FILE`. Data that is no code
stands between `// clang-format off` and `// clang-format on`.
"""

import pathlib
import subprocess
import sys

FOLDERS = ("compositor", "config", "guest-agent", "host-vfio", "protocol", "tests", "tools")


def main(clang_format, checkout):
    top = pathlib.Path(checkout)
    files = [
        file
        for folder in FOLDERS
        for file in sorted((top / folder).rglob("*.[ch]"))
    ]
    if not files:
        sys.exit(f"{top}: no C files: not a checkout of Portal")
    style = f"--style=file:{top / '.clang-format'}"
    run = subprocess.run([clang_format, style, "--dry-run", "-Werror", *files], check=False)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

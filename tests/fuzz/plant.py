"""Writes a source with a bug planted in it: plant.py SOURCE OUTPUT OLD NEW.

What a fuzzer does not find says something only when it would find what is there. OLD, which has to
stand in the source once, becomes NEW; a source that has changed too much for that fails the build,
so that the bug is planted anew.
"""

import pathlib
import sys


def main():
    source, output, old, new = sys.argv[1:]
    text = pathlib.Path(source).read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{source}: there has to be one “{old}” to plant the bug in, not {text.count(old)}")
    pathlib.Path(output).write_text(text.replace(old, new), encoding="utf-8")


main()

"""Adds up meson's test logs into the line "N passed, N failed, N skipped".

count-tests.py SKIPS LOG...: SKIPS names the tests that may be skipped, one "NAME: REASON" a line.
Any other skip counts as a failure, and so does a run in which no test ran.
"""

import json
import sys


def read_excuses(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.split("#", 1)[0].strip() for line in file]
    return {line.split(":", 1)[0].strip() for line in lines if line}


def main():
    excused = read_excuses(sys.argv[1])
    passed = failed = skipped = 0
    for log in sys.argv[2:]:
        with open(log, encoding="utf-8") as file:
            for line in file:
                test = json.loads(line)
                # "portal:unit / NAME" as meson writes it.
                name = test["name"].split(" / ")[-1]
                if test["result"] in ("OK", "EXPECTEDFAIL"):
                    passed += 1
                elif test["result"] == "SKIP" and name in excused:
                    skipped += 1
                else:
                    failed += 1
                    if test["result"] == "SKIP":
                        print(f"{name}: skipped without an entry in {sys.argv[1]}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


sys.exit(main())

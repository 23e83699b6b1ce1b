"""Two native runs of a test client on two fresh compositors give the same pictures and the same
log. What fails here is a test client that is not deterministic, or the harness; every comparison
with a guest rests on it.

native.py COMPOSITOR FEATURE [ARG...]
"""

import sys

from portaltest import case, guest, picture, scenario


def run(compositor_kind, feature, arguments):
    name = f"native-{compositor_kind}-{feature}"
    with case.desktop(name, compositor_kind) as (session, compositor):
        native = guest.Native(session, compositor, label="guest")
        return scenario.run(compositor, native, feature, *arguments)


def main():
    compositor_kind, feature, *arguments = sys.argv[1:]
    first = run(compositor_kind, feature, arguments)
    second = run(compositor_kind, feature, arguments)
    results = case.results_directory(f"native-{compositor_kind}-{feature}")
    for stage, shown in first.pictures:
        shown.write_png(f"{results}/{stage.replace(' ', '-')}.png")
    for line in first.client.lines:
        print(line)
    scenario.assert_same_logs(first.log(), second.log())
    assert len(first.pictures) == len(second.pictures)
    for (stage, wanted), (_, got) in zip(first.pictures, second.pictures):
        picture.assert_same(wanted, got, f"{feature} {stage}", results)


main()

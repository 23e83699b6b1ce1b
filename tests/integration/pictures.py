"""A feature shows the same pixels and gets the same events through a guest as natively.

pictures.py COMPOSITOR GUEST FEATURE [ARG...]: the test client runs natively, and again in a guest
(`agent`: an agent that speaks straight to the compositor; `bridge`: an agent and a bridge with the
channel between them; `copy`: the same, the bridge copying every frame out of the heap; `elsewhen`:
the guest on clocks of its own), each on a fresh compositor so that windows are placed alike. The
native client of a bridged guest carries the guest's label, so whole pictures are compared.
"""

import sys

from portaltest import case, guest, picture, scenario


def run_native(kind, compositor_kind, feature, arguments):
    label = None if kind == "agent" else "guest"
    with case.desktop(f"{feature}-native", compositor_kind) as (session, compositor):
        native = guest.Native(session, compositor, label)
        return scenario.run(compositor, native, feature, *arguments)


def run_guest(kind, compositor_kind, feature, arguments):
    with case.desktop(f"{feature}-{kind}", compositor_kind) as (session, compositor):
        compositor.input.move(*scenario.PARK)
        inside = guest.KINDS[kind](session, compositor)
        before = inside.settled_descriptors()
        done = scenario.run(compositor, inside, feature, *arguments)
        inside.await_descriptors(before)
        inside.stop()
        return done


def formats_of_guest(kind, compositor_kind):
    """The wl_shm formats a guest offers: a subset of the compositor's, both the mandatory ones
    among them."""
    native = run_native(kind, compositor_kind, "formats", [])
    inside = run_guest(kind, compositor_kind, "formats", [])
    offered = {line for line in inside.client.lines if line.startswith("format ")}
    assert offered <= set(native.client.lines), offered
    assert {"format 0", "format 1"} <= offered, offered
    return sorted(line.split()[1] for line in offered)


def main():
    compositor_kind, kind, feature, *arguments = sys.argv[1:]
    if feature == "formats" and not arguments:
        arguments = formats_of_guest(kind, compositor_kind)
    expected = run_native(kind, compositor_kind, feature, arguments)
    actual = run_guest(kind, compositor_kind, feature, arguments)
    results = case.results_directory(f"{compositor_kind}-{kind}-{feature}")
    problems = []
    for (stage, wanted), (_, got) in zip(expected.pictures, actual.pictures):
        try:
            picture.assert_same(wanted, got, f"{feature} {stage}", results)
        except AssertionError as problem:
            problems.append(str(problem))
    if len(expected.pictures) != len(actual.pictures):
        problems.append(f"{len(actual.pictures)} stages, not {len(expected.pictures)}")
    try:
        scenario.assert_same_logs(expected.log(), actual.log())
    except AssertionError as problem:
        problems.append(str(problem))
    if problems:
        sys.exit("\n".join(problems))


main()

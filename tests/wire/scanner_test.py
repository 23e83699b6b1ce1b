"""What the scanner makes of lists that are wrong, and of XML that says less than they do.

scanner_test.py SCANNER
"""

import os
import subprocess
import sys
import tempfile
import unittest

SCANNER = sys.argv[1]

PROTOCOL = """<protocol name="test">
<interface name="wl_display" version="1">
  <request name="sync"><arg name="id" type="new_id" interface="wl_callback"/></request>
</interface>
<interface name="wl_callback" version="1"/>
<interface name="made" version="2"/>
<interface name="unmade" version="1"/>
<interface name="thing" version="3">
  <request name="make"><arg name="id" type="new_id" interface="made"/></request>
  <request name="give" since="3"><arg name="fd" type="fd"/></request>
  <event name="about"><arg name="other" type="object" interface="unmade"/></event>
</interface>
</protocol>"""


class Scanner(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def run_scanner(self, kind, allow, protocol=PROTOCOL):
        paths = [os.path.join(self.directory.name, name) for name in ("allow", "out", "xml")]
        for path, text in ((paths[0], allow), (paths[2], protocol)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        result = subprocess.run(
            [sys.executable, SCANNER, kind, *paths], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            return result.stderr.replace(paths[0], "allow")
        with open(paths[1], encoding="utf-8") as file:
            return file.read()

    def test_only_what_the_list_reaches_is_written(self):
        out = self.run_scanner("header", "global thing 2\n")
        self.assertIn("PORTAL_WIRE_MADE,", out)
        self.assertNotIn("UNMADE", out)

    def test_messages_newer_than_the_list_allows_are_left_out(self):
        out = self.run_scanner("header", "global thing 2\n")
        self.assertIn("PORTAL_REQUEST_THING_MAKE 0", out)
        self.assertNotIn("THING_GIVE", out)

    def test_an_object_nobody_can_make_is_of_no_interface(self):
        out = self.run_scanner("code", "global thing 1\n")
        self.assertIn("{PORTAL_WIRE_ARG_OBJECT, PORTAL_WIRE_NONE,", out)

    def test_a_child_has_no_higher_version_than_its_maker_and_its_own(self):
        out = self.run_scanner("code", "global thing 3\nfd thing.give heap\n")
        self.assertIn('{"made", NULL, NULL, 0, 0, 2, false}', out)
        out = self.run_scanner("code", "global thing 1\n")
        self.assertIn('{"made", NULL, NULL, 0, 0, 1, false}', out)

    def test_a_descriptor_of_no_kind_is_refused(self):
        self.assertEqual(
            self.run_scanner("code", "global thing 3\n"),
            "scanner.py: thing.give: say in the allow-list what its descriptor is\n",
        )

    def test_a_kind_for_no_descriptor_is_refused(self):
        self.assertEqual(
            self.run_scanner("code", "global thing 1\nfd thing.make heap\n"),
            "scanner.py: thing.make: no such descriptor\n",
        )

    def test_an_interface_no_xml_has_is_refused(self):
        self.assertEqual(
            self.run_scanner("code", "global nothing 1\n"),
            "scanner.py: nothing: no such interface in the XML files\n",
        )

    def test_a_version_the_xml_does_not_have_is_refused(self):
        self.assertEqual(
            self.run_scanner("code", "global thing 4\n"),
            "scanner.py: thing: the XML has version 3 only\n",
        )

    def test_a_line_that_is_not_understood_is_named(self):
        self.assertEqual(
            self.run_scanner("code", "global thing 1\n\nglobal thing\n"),
            "scanner.py: allow:3: not understood\n",
        )

    def test_opcodes_that_would_shift_are_refused(self):
        swapped = PROTOCOL.replace('<request name="make">', '<request name="make" since="3">')
        swapped = swapped.replace('<request name="give" since="3">', '<request name="give">')
        self.assertEqual(
            self.run_scanner("code", "global thing 2\nfd thing.give heap\n", swapped),
            "scanner.py: thing: opcodes are not in the order of versions\n",
        )


unittest.main(argv=sys.argv[:1])

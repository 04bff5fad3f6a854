#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo as a user meets it: what it says to wrong flags, files and devices, and what
it writes.  Each case is a command line, its exit code and what must be in its words."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = pathlib.Path("drivers/hdmi_example")
DEMO = ROOT / "hdmi_demo"
TESTDATA = ROOT / "edid/testdata"


def edid(name):
    return bytearray((TESTDATA / f"{name}.edid").read_bytes())


class DemoTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, content=None):
        path = pathlib.Path(self.folder.name) / name
        if content is not None:
            path.write_bytes(bytes(content))
        return str(path)

    def demo(self, *args, code=0):
        done = subprocess.run([DEMO, *args], capture_output=True, text=True, check=False,
                              timeout=240)
        self.assertEqual(done.returncode, code, done.stdout[-3000:] + done.stderr)
        return done.stdout, done.stderr

    def refused(self, *args, says):
        _, err = self.demo(*args, code=2)
        for words in says if isinstance(says, tuple) else (says,):
            self.assertIn(words, err)

    def test_wrong_flags(self):
        _, err = self.demo("--no-such-flag", code=1)  # Abseil's own exit code
        self.assertIn("no-such-flag", err)
        self.refused("something", says='unexpected argument "something"')
        self.refused("--fault=F45", says='no fault "F45"; --list_faults shows all')
        for speed in ("0", "-1", "51", "nan"):
            self.refused(f"--speed={speed}", says="--speed is")
        _, err = self.demo("--speed=fast", code=1)
        self.assertIn("fast", err)
        self.refused("--color=red", says='--color is "red"')

    def test_missing_devices(self):
        self.refused("--device=sim:no-such-device", says="no-such-device")
        self.refused("--device=/dev/kup-no-such-device", says="kup-no-such-device")
        self.refused("--device_process=/no/such/program", says="/no/such/program")
        self.refused("--device=/dev/i2c-no-such-bus", says=("/dev/i2c-no-such-bus", "i2c-dev"))

    def test_wrong_sinks(self):
        self.refused("--sink=/no/such/file", says="/no/such/file")
        self.refused(f"--sink={self.folder.name}", says=self.folder.name)
        self.refused("--sink=" + self.path("empty", b""), says="empty")
        self.refused("--sink=" + self.path("text", b"this is no EDID\n"), says="text")
        self.refused("--sink=" + self.path("short", edid("uwq-tv-4k60")[:100]), says="ends after 100 of 128 bytes")
        self.refused("--sink=" + self.path("noise", bytes(range(256))), says="byte 0")
        broken = edid("uwq-tv-4k60")
        broken[40] ^= 1
        self.refused("--sink=" + self.path("sum", broken), says=("block 0, byte 127", "checksum"))
        self.refused("--sink=" + self.path("big", bytes((1 << 20) + 1)), says="more than 1 MiB")

    # What is odd but usable is shown with its place, and the evening goes on.
    def test_odd_sink_is_reported_and_used(self):
        odd = edid("uwq-tv-4k60")
        odd[255] ^= 0x10  # the sum of the CTA block
        out, err = self.demo("--sink=" + self.path("odd", odd), "--fault=F17", "--speed=8",
                             "--color=never")
        self.assertIn("block 1, byte 127 (file offset 0xff)", err)
        self.assertIn("UWQ SIM UHD", out)

    def test_every_edid_of_ours_is_a_sink(self):
        for name in ("uwq-tv-1080p", "uwq-dvi-xga", "uwq-4block"):
            self.demo(f"--sink={TESTDATA}/{name}.edid", "--fault=F3", "--speed=8",
                      "--color=never")

    # Whether each protection comes before the next thing happens is for a machine that has
    # time to show (movie_night_test has the exact times); these checks hold on any.
    def test_the_evening(self):
        done = subprocess.run([DEMO, "--speed=3", "--color=never"], capture_output=True, text=True,
                              check=False, timeout=240)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        for check in ("the revoked AVR: DESIRED, idle, muted",
                      "at speed 1 driver and demo take less than 2 % of one core",
                      "nothing left pending, no reference left",
                      "the library saw 0 mistakes of the driver"):
            self.assertIn(f"\nok    {check}", done.stdout, done.stdout[-3000:])

    def test_fault_with_trace_and_plot(self):
        trace, plot = self.path("run.trace.json"), self.path("run.svg")
        out, _ = self.demo("--fault=ri-wrong", "--speed=8", f"--trace={trace}", f"--plot={plot}",
                           "--color=always")
        self.assertIn("\x1b[", out)
        self.assertIn("nothing left pending", out)
        self.assertIn("p99", out)
        events = json.loads(pathlib.Path(trace).read_text())["traceEvents"]
        names = {event["name"] for event in events}
        self.assertLessEqual({"hpd_dwork", "edid_dwork", "hdcp_step_dwork"}, names)
        svg = xml.etree.ElementTree.parse(plot).getroot()
        self.assertTrue(svg.tag.endswith("svg"))
        self.assertIn("hdcp_step_dwork", pathlib.Path(plot).read_text())

    def test_fault_over_hdcp22(self):
        out, _ = self.demo("--fault=F43.reauth", "--speed=8", "--color=never")
        self.assertIn("REAUTH_REQ", out)

    def test_files_that_cannot_be_written(self):
        out = subprocess.run([DEMO, "--fault=F3", "--speed=8", "--plot=/no/such/folder/run.svg"],
                             capture_output=True, text=True, check=False, timeout=240)
        self.assertEqual(out.returncode, 1)
        self.assertIn("/no/such/folder/run.svg", out.stderr)

    def test_list_and_help(self):
        out, _ = self.demo("--list_faults")
        for number in range(1, 45):
            self.assertIn(f"\nF{number}", "\n" + out)
        out, _ = self.demo("--help", code=1)  # Abseil's own exit code
        for flag in ("--speed", "--seed", "--fault", "--sink", "--trace", "--plot"):
            self.assertIn(flag, out)


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    unittest.main(verbosity=2)

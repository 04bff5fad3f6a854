#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo plays every fault that it lists, each with a device in a process of its own,
and every check that its summary prints holds.

Faults mostly wait, so that several are played at once.  Their speed is what a busy machine
can still follow; a fault whose limit is a few milliseconds of the world is played slower.
UWQ_HDMI_FAULT=F20 plays one of them, UWQ_HDMI_SPEED=20 all at that speed.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import unittest

DEMO = pathlib.Path("drivers/hdmi_example/hdmi_demo")
AT_ONCE = 6
SPEED = 10
SLOWER = {"F13": 4, "F21": 2, "F38.edge": 4, "F42.lprime19": 2, "F42.lprime21": 2}


def listed_faults():
    out = subprocess.run([DEMO, "--list_faults"], capture_output=True, text=True, check=True)
    return re.findall(r"^(F\S+)", out.stdout, re.MULTILINE)


def mine(faults):
    """Those of this shard, as Bazel tells it."""
    if status := os.environ.get("TEST_SHARD_STATUS_FILE"):
        pathlib.Path(status).touch()
    shards = int(os.environ.get("TEST_TOTAL_SHARDS", "1"))
    return faults[int(os.environ.get("TEST_SHARD_INDEX", "0"))::shards]


def play(fault):
    speed = os.environ.get("UWQ_HDMI_SPEED", SLOWER.get(fault, SPEED))
    command = [DEMO, f"--fault={fault}", f"--speed={speed}", "--color=never"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class DemoFaultsTest(unittest.TestCase):
    def test_every_fault_ends_as_it_must(self):
        every = listed_faults()
        self.assertEqual({re.sub(r"\..*", "", fault) for fault in every},
                         {f"F{number}" for number in range(1, 45)})
        faults = mine(every)
        if only := os.environ.get("UWQ_HDMI_FAULT"):
            faults = [fault for fault in faults if fault.split(".")[0] == only or fault == only]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for fault, done in zip(faults, pool.map(play, faults)):
                with self.subTest(fault=fault):
                    words = done.stdout[-6000:] + done.stderr
                    self.assertEqual(done.returncode, 0, words)
                    self.assertIn("\nok    at the end: ", done.stdout, words)
                    self.assertIn("\nok    nothing left pending, no reference left", done.stdout,
                                  words)
                    self.assertEqual(done.stderr, "", words)


if __name__ == "__main__":
    os.environ.pop("COLUMNS", None)
    unittest.main(verbosity=2)

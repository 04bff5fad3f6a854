#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of tap.py: what must not pass for a success, and what explains a difference."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

GOOD = """\
[    2.1] === begin cancel
[    2.1] # suite cancel
[    2.1] # T052.percpu running only
[    2.2] ok T052.percpu
[    2.2] # T069 underflow
[    2.2] # T069 expects a report
[    2.3] WARNING: CPU: 0 PID: 61 at kernel/workqueue.c:4 enable_work+0x1/0x2
[    2.3] ok T069
[    2.4] 1..2
[    2.4] # end cancel: 2 passed, 0 failed
[    2.4] === end cancel
"""


class TapTest(unittest.TestCase):
    def run_tap(self, console, user=None, docs=None):
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, text in (("console", console), ("user", user), ("docs", docs)):
                paths[name] = os.path.join(folder, name)
                if text is not None:
                    with open(paths[name], "w", encoding="utf-8") as file:
                        file.write(text)
            command = [sys.executable, os.path.join(HERE, "tap.py"), "--console", paths["console"], "--kernel", "6.12"]
            if user is not None:
                command += ["--userspace-tap", paths["user"], "--differences", paths["docs"]]
            run = subprocess.run(command + ["cancel"], capture_output=True, text=True, check=False)
            self.assertEqual(run.stderr, "")
            return run.returncode, run.stdout

    def test_all_good(self):
        code, out = self.run_tap(GOOD)
        self.assertEqual(code, 0)
        self.assertTrue(out.endswith("2 passed, 0 failed\n"))

    def test_carriage_returns_of_a_serial_console(self):
        code, out = self.run_tap(GOOD.replace("\n", "\r\n"))
        self.assertEqual(code, 0)
        self.assertTrue(out.endswith("2 passed, 0 failed\n"))

    def test_missing_report_fails(self):
        code, out = self.run_tap(GOOD.replace("WARNING: ", "all is well "))
        self.assertEqual(code, 1)
        self.assertIn("no report was made", out)

    def test_report_of_an_earlier_scenario_does_not_count(self):
        lines = GOOD.splitlines(keepends=True)
        lines.insert(3, lines.pop(6))
        code, out = self.run_tap("".join(lines))
        self.assertEqual(code, 1)
        self.assertIn("no report was made", out)
        self.assertIn("note: T052.percpu made the kernel say: WARNING", out)

    def test_hang_fails(self):
        code, out = self.run_tap(GOOD.split("[    2.2] # T069")[0])
        self.assertEqual(code, 1)
        self.assertIn("did not reach its end", out)
        self.assertTrue(out.endswith("1 passed, 1 failed\n"))

    def test_oops_fails_though_the_scenario_says_ok(self):
        code, out = self.run_tap(GOOD.replace("[    2.2] ok", "[    2.2] BUG: kernel NULL pointer dereference\n[    2.2] ok"))
        self.assertEqual(code, 1)
        self.assertTrue(out.endswith("2 passed, 1 failed\n"))

    def test_duplicate_id_fails(self):
        code, out = self.run_tap(GOOD.replace("[    2.4] 1..2", "[    2.4] ok T069"))
        self.assertEqual(code, 1)
        self.assertIn("two results for one id", out)

    def test_empty_console_fails(self):
        code, out = self.run_tap("")
        self.assertEqual(code, 1)
        self.assertTrue(out.endswith("0 passed, 1 failed\n"))

    USER = (
        "# suite cancel\nok T052.percpu\n# T069 x\n# T069 expects a report\nuwq: enable underflow\nok T069\n"
        "# end cancel: 2 passed, 0 failed\n"
    )

    def test_agreement(self):
        code, out = self.run_tap(GOOD, self.USER, "")
        self.assertEqual(code, 0, out)
        self.assertTrue(out.endswith("2 passed, 0 failed\n"))

    def test_unexplained_difference_fails(self):
        code, out = self.run_tap(GOOD, self.USER.replace("ok T052.percpu", "not ok T052.percpu line 9: x"), "")
        self.assertEqual(code, 1)
        self.assertIn("T052.percpu: NOT EXPLAINED", out)
        self.assertIn("line 9: x", out)

    def test_explained_difference_passes_and_is_listed(self):
        docs = "| `T052` | We do better than the kernel. |\n"
        code, out = self.run_tap(GOOD, self.USER.replace("ok T052.percpu", "not ok T052.percpu line 9: x"), docs)
        self.assertEqual(code, 0, out)
        self.assertIn("T052.percpu: `T052`: We do better than the kernel.", out)

    def test_scenario_absent_in_one_world_is_a_difference(self):
        code, out = self.run_tap(GOOD, "ok T052.percpu\n", "")
        self.assertEqual(code, 1)
        self.assertIn("absent", out)
        code, out = self.run_tap(GOOD, self.USER + "# T999 new\nok T999\n", "")
        self.assertEqual(code, 1)
        self.assertIn("T999", out)

    def test_crash_over_uwq_fails(self):
        code, out = self.run_tap(GOOD, self.USER.split("# end")[0], "")
        self.assertEqual(code, 1)
        self.assertIn("over uwq the program did not reach its end", out)

    def test_other_programs_of_the_userspace_file_are_left_out(self):
        code, out = self.run_tap(GOOD, self.USER + "# suite flush\n# F2 x\nok F2\n", "")
        self.assertEqual(code, 0, out)
        self.assertNotIn("F2", out)


if __name__ == "__main__":
    unittest.main()

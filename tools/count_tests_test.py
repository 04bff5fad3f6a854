#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shows that tools/count_tests.py counts nothing as passed that did not pass."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
import count_tests  # noqa: E402

LABEL = "//a:t"
END = {"id": {"buildFinished": {}}, "finished": {}}

REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" name="AllTests"><testsuite name="A">
  <testcase name="Good" status="run" result="completed" classname="A" />
  <testcase name="Bad" status="run" result="completed" classname="A"><failure message="x"/></testcase>
  <testcase name="Skip" status="run" result="skipped" classname="A"><skipped/></testcase>
  <testcase name="DISABLED_Off" status="notrun" result="suppressed" classname="A" />
</testsuite></testsuites>
"""
GREEN = """<testsuites name="AllTests"><testsuite name="A">
  <testcase name="Good" status="run" result="completed" classname="A" />
</testsuite></testsuites>"""
BAZELS_OWN = """<testsuites><testsuite name="a/t" tests="1" errors="1">
  <testcase name="a/t"><error message="exited with error code 134"/></testcase>
</testsuite></testsuites>"""
CRASH = """[ RUN      ] A.Good
[       OK ] A.Good (0 ms)
[ RUN      ] A.Bad
a.cc:1: Failure
[  FAILED  ] A.Bad (0 ms)
[ RUN      ] A.Boom
"""


class Count(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.files = 0

    def file(self, name, text):
        self.files += 1
        path = os.path.join(self.folder.name, f"{self.files} {name}")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        return {"name": name, "uri": "file://" + path.replace(" ", "%20")}

    def result(self, status, xml=None, log="", label=LABEL, kind="cc_test rule"):
        outputs = [self.file("test.log", log)]
        if xml is not None:
            outputs.append(self.file("test.xml", xml))
        return [
            {"id": {"targetConfigured": {"label": label}}, "configured": {"targetKind": kind}},
            {"id": {"targetCompleted": {"label": label}}, "completed": {"success": True}},
            {"id": {"testResult": {"label": label}},
             "testResult": {"status": status, "testActionOutput": outputs}},
        ]

    def count(self, events, bazel_exit=0):
        counts = count_tests.count(events + [END], bazel_exit)
        return counts.passed, counts.failed, counts.skipped

    def test_cases_of_a_report(self):
        self.assertEqual(self.count(self.result("FAILED", REPORT), 3), (1, 1, 2))

    def test_shards_add_up(self):
        self.assertEqual(self.count(self.result("PASSED", GREEN) * 2), (2, 0, 0))

    def test_bad_exit_after_green_cases_is_a_failure(self):
        self.assertEqual(self.count(self.result("FAILED", GREEN), 3), (1, 1, 0))

    def test_failed_case_with_good_exit_is_a_failure(self):
        self.assertEqual(self.count(self.result("PASSED", REPORT)), (1, 1, 2))

    def test_crash_counts_what_its_log_shows(self):
        self.assertEqual(self.count(self.result("FAILED", BAZELS_OWN, CRASH), 3), (1, 2, 0))
        self.assertEqual(self.count(self.result("TIMEOUT", None, CRASH), 3), (1, 2, 0))

    def test_no_case_is_a_failure(self):
        self.assertEqual(self.count(self.result("PASSED", '<testsuites name="AllTests"/>')), (0, 1, 0))

    def test_other_targets_count_one(self):
        for kind in ("sh_test rule", "cc_test rule"):
            self.assertEqual(self.count(self.result("PASSED", BAZELS_OWN, kind=kind)), (1, 0, 0))
            self.assertEqual(self.count(self.result("TIMEOUT", kind=kind), 3), (0, 1, 0))

    def test_script_that_runs_a_failing_program_counts_one(self):
        self.assertEqual(self.count(self.result("PASSED", REPORT, CRASH, kind="sh_test rule")),
                         (1, 0, 0))

    def test_target_that_does_not_build(self):
        broken = [{"id": {"targetCompleted": {"label": "//a:u"}}, "completed": {}}]
        self.assertEqual(self.count(self.result("PASSED", GREEN) + broken, 1), (1, 1, 0))
        aborted = [{"id": {"targetCompleted": {"label": "//a:u"}}, "aborted": {"reason": "X"}},
                   {"id": {"testSummary": {"label": "//a:u"}}, "aborted": {"reason": "X"}}]
        self.assertEqual(self.count(self.result("PASSED", GREEN) + aborted, 1), (1, 1, 0))

    def test_unreadable_folder_is_a_failure(self):
        self.assertEqual(self.count(self.result("PASSED", GREEN), 1), (1, 1, 0))
        pattern = [{"id": {"pattern": {"pattern": ["//n/..."]}}, "aborted": {"reason": "LOADING"}}]
        self.assertEqual(self.count(pattern, 1), (0, 1, 0))

    def test_run_without_end_is_a_failure(self):
        counts = count_tests.count(self.result("PASSED", GREEN), 0)
        self.assertEqual((counts.passed, counts.failed), (1, 1))

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.count([]), (0, 1, 0))
        self.assertEqual(self.count([], 4), (0, 1, 0))

    def test_schedules_add_up(self):
        events = (self.result("PASSED", GREEN, "sim schedules: 40\nno\n") +
                  self.result("PASSED", None, "x sim schedules: 7\nsim schedules: 2\n", "//a:s"))
        self.assertEqual(count_tests.count(events + [END], 0).schedules, 42)
        self.assertEqual(count_tests.count(events + [END], 0, schedules_min=42).failed, 0)
        self.assertEqual(count_tests.count(events + [END], 0, schedules_min=43).failed, 1)

    def test_command_line(self):
        path = os.path.join(self.folder.name, "events")
        counts = os.path.join(self.folder.name, "counts")
        with open(path, "w", encoding="utf-8") as stream:
            for event in self.result("FAILED", REPORT) + [END]:
                print(json.dumps(event), file=stream)
        result = subprocess.run(
            [sys.executable, os.path.join(HERE, "count_tests.py"), "--bazel-exit", "3",
             "--counts", counts, path], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("failed: //a:t: A.Bad", result.stdout)
        with open(counts, encoding="utf-8") as stream:
            self.assertEqual(stream.read(), "1 1 2\n")


if __name__ == "__main__":
    unittest.main()

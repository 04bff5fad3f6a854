#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every workload of ourselves and of two peers runs, in miniature, and answers.

No figure is judged: the machine that runs the tests is a busy one.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

import catalog  # noqa: E402  the path is set above
import report  # noqa: E402


def programs():
    return [p for p in sorted((HERE / "peers").glob("peer_*")) if os.access(p, os.X_OK)]


def listed():
    for program in programs():
        lines = subprocess.run([program, "--list"], capture_output=True, text=True,
                               check=True).stdout.splitlines()
        for line in lines:
            yield program, *line.split()


class Smoke(unittest.TestCase):
    def test_each_workload_answers_its_question(self):
        runs = list(listed())
        # The pool of two, ourselves, the wheel, and the bare futex are all here.
        self.assertGreater(len(runs), 60)
        self.assertLessEqual({"w1", "w4", "w5", "w6", "w7", "w8"}, {w for _, _, w in runs})
        for program, peer, workload in runs:
            with self.subTest(peer=peer, workload=workload):
                done = subprocess.run([program, peer, workload, "--scale=0.001", "--count-allocs"],
                                      capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                metrics = json.loads(done.stdout)["metrics"]
                question = catalog.QUESTIONS[workload]
                answers = [m for m in question.metrics or (question.metric,) if m in metrics]
                self.assertTrue(answers, metrics)
                if workload == "w8":
                    self.assertEqual(metrics["cancelled"], 1)
                if workload in ("w6_late", "w6_early") and peer == "uwq":
                    self.assertEqual(metrics["early"], 0)

    def test_wrong_arguments_are_named(self):
        program = programs()[0]
        for arguments in (["nobody", "w1"], ["naive", "w99"], ["--scale=7"], ["--what"]):
            done = subprocess.run([program, *arguments], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 2)
            self.assertNotEqual(done.stderr, "")

    def test_the_runner_writes_table_json_and_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            out, picture = pathlib.Path(folder, "o.json"), pathlib.Path(folder, "o.svg")
            done = subprocess.run(
                [sys.executable, HERE / "run.py", f"--bin={HERE / 'peers'}", "--quick", "--reps=1",
                 "--filter=^w8 ", f"--json={out}", f"--svg={picture}"],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("uwq-max2", done.stdout)
            rows = json.loads(out.read_text())["rows"]
            self.assertEqual({row["workload"] for row in rows}, {"w8"})
            self.assertTrue(picture.read_text().startswith("<svg"))
            self.assertTrue(all(set(report.Row.__dataclass_fields__) == set(row) for row in rows))

    def test_the_runner_refuses_nonsense(self):
        for arguments in (["--filter=("], ["--reps=0"], ["--filter=nothing like it"],
                          ["--filter=w1", "--markdown=docs/performance.md"],
                          ["--json=/nowhere/out.json"]):
            done = subprocess.run(
                [sys.executable, HERE / "run.py", f"--bin={HERE / 'peers'}", *arguments],
                capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()

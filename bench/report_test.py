#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the runner: statistics, noise, verdicts, table, picture and document."""

import json
import os
import pathlib
import sys
import tempfile
import unittest
import xml.dom.minidom

HERE = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(HERE))
sys.path.insert(1, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import catalog  # noqa: E402  the path is set above
import document  # noqa: E402
import instructions  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402

ENVIRONMENT = {"cpu": "<test>", "cpus": 2, "kernel": "6", "reps": 3, "load_before": ["1", "2"]}
COSTS = {"item_handover_rmw": 7.5}


class FakeRun:
    def __init__(self, workload, peer, samples, allocs=None):
        self.workload, self.peer, self.samples = workload, peer, samples
        self.allocs = allocs or {}


def w1(peer, *walls, foreign=0.0, allocs=None):
    return FakeRun("w1", peer, [(foreign, {"wall_ns": w, "cpu_ns": w}) for w in walls], allocs)


class Samples(unittest.TestCase):
    def test_a_majority_of_quiet_samples_is_used_alone(self):
        samples = [(0.0, {"x": 1}), (0.01, {"x": 2}), (0.02, {"x": 3}), (0.9, {"x": 99})]
        used, quiet, noisy = report.usable(samples)
        self.assertEqual([s["x"] for s in used], [1, 2, 3])
        self.assertEqual((quiet, noisy), (3, False))

    def test_else_all_are_used_and_the_row_is_marked(self):
        samples = [(0.0, {"x": 1}), (0.5, {"x": 2}), (0.5, {"x": 3})]
        used, quiet, noisy = report.usable(samples)
        self.assertEqual((len(used), quiet, noisy), (3, 1, True))

    def test_median_spread_and_deviation(self):
        (row,) = report.summarise([w1("asio", 10, 30, 11)])
        self.assertEqual((row.median, row.low, row.high, row.mad), (11, 10, 30, 1))

    def test_a_failed_run_gives_no_row(self):
        self.assertEqual(report.summarise([FakeRun("w1", "asio", [])]), [])


class Ratios(unittest.TestCase):
    def test_against_the_best_peer_and_never_against_ourselves(self):
        table = report.summarise([w1("uwq", 5), w1("asio", 20), w1("tbb", 10)])
        self.assertEqual({r.peer: r.ratio for r in table}, {"uwq": 0.5, "tbb": 1, "asio": 2})
        self.assertEqual([r.peer for r in table], ["uwq", "tbb", "asio"])

    def test_a_peer_whose_timers_fire_early_is_not_the_best(self):
        late = [FakeRun("w6_late", peer, [(0, {"p99_ns": p99, "early": early})])
                for peer, p99, early in (("libevent", 10, 300), ("asio", 100, 0), ("uwq", 50, 0))]
        ratios = {r.peer: r.ratio for r in report.summarise(late)}
        self.assertEqual(ratios, {"libevent": None, "asio": 1, "uwq": 0.5})


class Bars(unittest.TestCase):
    def verdict(self, name, *runs):
        return next(b for b in report.judge(report.summarise(list(runs)), COSTS) if b["bar"] == name)

    def test_factor_against_the_best_of_the_same_job(self):
        # libuv-async has one thread by design and is no pool of two.
        name = "W1: 2x the best packaged pool of 2"
        peers = (w1("libuv-async", 1), w1("naive", 2), w1("asio", 100))
        self.assertEqual(self.verdict(name, w1("uwq", 50), *peers)["state"], "PASS")
        bar = self.verdict(name, w1("uwq", 51), *peers)
        self.assertEqual((bar["state"], bar["against"], bar["limit"]), ("FAIL", "asio", 50))
        self.assertEqual((bar["floor"], bar["floor_name"]), (7.5, "item_handover_rmw"))

    def test_absolute(self):
        self.assertEqual(self.verdict("W1: wall per item", w1("uwq", 45))["state"], "PASS")
        self.assertEqual(self.verdict("W1: wall per item", w1("uwq", 46))["state"], "FAIL")

    def test_without_figures_there_is_no_verdict(self):
        self.assertEqual(self.verdict("W1: wall per item", w1("asio", 1))["state"], "not measured")

    def test_noise_of_either_side_marks_it(self):
        bar = self.verdict("W1: 2x the best packaged pool of 2", w1("uwq", 1),
                           w1("asio", 9, foreign=0.5))
        self.assertTrue(bar["noisy"])

    def test_allocations_come_from_the_counting_run(self):
        name = "allocations per queue"
        self.assertEqual(self.verdict(name, w1("uwq", 1, allocs={"allocs": 0}))["state"], "PASS")
        self.assertEqual(self.verdict(name, w1("uwq", 1, allocs={"allocs": 1}))["state"], "FAIL")

    def test_each_names_a_workload_that_exists(self):
        for bar in catalog.BARS:
            self.assertIn(bar.workload, [*catalog.QUESTIONS, "micro"])
            self.assertNotEqual(bar.limit is None, bar.factor == 0, bar.name)
            if bar.floor and bar.floor[0] != "costs":
                self.assertIn(bar.floor[0], catalog.QUESTIONS)


class Output(unittest.TestCase):
    def setUp(self):
        self.table = report.summarise([w1("uwq", 50, 60, 70), w1("asio", 1200, 2e6, 3, foreign=1)])

    def test_table_names_question_peers_and_noise(self):
        text = report.render(ENVIRONMENT, self.table, report.judge(self.table, COSTS), {"rmw": 2.5})
        for part in ("cpu: <test>", catalog.QUESTIONS["w1"].text, "* uwq", "1200~", "rmw", "FAIL",
                     "~ others used the machine"):
            self.assertIn(part, text)

    def test_the_document_gets_every_measured_part(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "performance.md")
            path.write_text((HERE.parent / "docs" / "performance.md").read_text())
            micro = FakeRun("micro", "uwq", [(None, {"BM_X": 3.25, "BM_X allocs": 0})])
            table = report.summarise([w1("uwq", 50), w1("asio", 1200), micro])
            for _ in range(2):  # twice, as a rewritten one must stay rewritable
                document.rewrite(path, ENVIRONMENT, table, report.judge(table, COSTS), COSTS)
            text = path.read_text()
            for part in ("<test>, 2 CPUs", "| W1: 2x the best packaged pool of 2 | 7 |", "asio 1200", "| X | 3.25 |",
                         "| item_handover_rmw | 7.5 |", "| queue_pending |"):
                self.assertEqual(text.count(part), 1, part)
            self.assertEqual(text.count("<!-- measured: "), text.count("<!-- end of "))

    def test_output_of_a_command_is_a_table_or_program_text(self):
        self.assertEqual(document.of_command("| a |\n|---|"), "| a |\n|---|")
        self.assertEqual(document.of_command("a 1"), "```\na 1\n```")

    def test_the_bridge_s_document_has_its_parts(self):
        text = (HERE.parent / "docs" / "kup_protocol.md").read_text()
        for part in ("kup_bench", "bridge_bench", "bridge_spin"):
            self.assertIn("| x |", document.replace(text, part, "| x |"))

    def test_the_ratio_is_to_the_peer_that_is_named(self):
        # One thread by design: faster, and no rival of a pool of two.
        table = report.summarise([w1("uwq", 50), w1("libev", 10), w1("asio", 100)])
        self.assertIn("| asio 100 | 0.50 |", document._results(table))

    def test_without_the_plain_row_another_of_ours_is_compared(self):
        table = report.summarise([w1("uwq-max2", 50), w1("asio", 100)])
        self.assertIn("| asio 100 | 0.50 |", document._results(table))

    def test_a_document_is_looked_at_before_anything_is_measured(self):
        document.check(HERE.parent / "docs" / "performance.md")
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(SystemExit):
                document.check(pathlib.Path(folder, "missing.md"))

    def test_a_document_without_the_part_is_an_error(self):
        with self.assertRaises(SystemExit):
            document.replace("nothing here", "bars", "x")

    def test_numbers(self):
        self.assertEqual([report.number(v) for v in (None, 0, 0.12345, 45.67, 1234, 45678, 2e6,
                                                     0.00001)],
                         ["-", "0", "0.123", "45.7", "1234", "45.7k", "2M", "1.0e-05"])

    def test_picture_is_well_formed_and_escaped(self):
        picture = plot.picture(ENVIRONMENT, self.table)
        xml.dom.minidom.parseString(picture)
        self.assertIn("&lt;test&gt;", picture)
        self.assertIn("uwq", picture)


class Instructions(unittest.TestCase):
    def test_more_than_three_percent_is_growth(self):
        self.assertEqual(instructions.verdict("x", 103, 100), ("", False))
        self.assertTrue(instructions.verdict("x", 106, 100)[1])
        self.assertTrue(instructions.verdict("x", 100, None)[1])

    def test_less_has_to_be_recorded_where_it_is_no_chance(self):
        for path, expected in (("x", True), (instructions.RACING[0], False)):
            text, failed = instructions.verdict(path, 90, 100)
            self.assertIn("shrank", text)
            self.assertEqual(failed, expected)

    def test_all_racing_paths_are_recorded(self):
        known = json.loads((HERE / "instructions.json").read_text())
        self.assertLessEqual(set(instructions.RACING), set(known["paths"]))


class Adapters(unittest.TestCase):
    def test_each_is_one_file_of_at_most_80_lines(self):
        found = list((HERE / "peers").glob("*.cc"))
        self.assertGreater(len(found), 15)
        for path in found:
            self.assertLessEqual(len(path.read_text().splitlines()), 80, path.name)


if __name__ == "__main__":
    unittest.main()

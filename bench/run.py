#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the benchmark: every workload of every peer, interleaved, several times.

  bench/run.py --bin DIR [--filter RE] [--json FILE] [--svg FILE]
               [--markdown FILE] [--reps N] [--quick] [--list]

Started by tools/bench.  Each run is a process of its own, in random order, so that
a slow minute of the machine falls on everybody.  A run during which others used
more than 6 % of the machine is noisy: the runner waits for a quiet moment and repeats
it once; it counts only where too few quiet ones exist, and the table marks such rows
with `~`.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import time

import catalog
import document
import machine
import plot
import report

RUN_SECONDS_MAX = 180


class Run:
    """One workload of one peer, and what its repetitions gave."""

    def __init__(self, program, peer, workload):
        self.program = program
        self.peer = peer
        self.workload = workload
        self.samples = []  # (share of the machine that others used, metrics)
        self.allocs = {}
        self.error = None

    @property
    def name(self):
        return f"{self.workload} {self.peer}"


def programs(folder, name):
    """The programs of that name in `folder` and one level below.

    Not deeper: Bazel keeps links to the same programs in the folders of tests.
    """
    found = [*folder.glob(name), *folder.glob(f"*/{name}")]
    return sorted(p for p in found if p.is_file() and not p.suffix and os.access(p, os.X_OK))


def discover(folder, pattern):
    """All runs that the programs in `folder` offer and `pattern` matches."""
    runs = []
    for program in programs(folder, "peer_*"):
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=False)
        if listed.returncode != 0:
            print(f"bench: {program.name} does not start: {listed.stderr.strip()}",
                  file=sys.stderr)
            continue
        for line in listed.stdout.splitlines():
            run = Run(program, *line.split())
            if run.workload not in catalog.QUESTIONS:
                raise SystemExit(f"bench: {run.name} is not in catalog.py")
            if pattern.search(run.name):
                runs.append(run)
    return runs


def measure(run, arguments):
    """One process.  Returns (foreign share, metrics), or None and sets run.error."""
    command = [run.program, run.peer, run.workload, *arguments]
    before = machine.busy_seconds()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, errors = process.communicate(timeout=RUN_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        run.error = f"took longer than {RUN_SECONDS_MAX} s"
        return None
    wall = max(time.monotonic() - start, 1e-3)
    own = machine.children_seconds() - measure.children
    measure.children += own
    if process.returncode != 0:
        run.error = f"exit {process.returncode}: {errors.strip()[-200:]}"
        return None
    # The machine counts in ticks, of which each CPU may have one too many.
    foreign = machine.busy_seconds() - before - own - machine.CPUS * machine.TICK
    foreign /= wall * machine.CPUS
    lines = output.splitlines()
    if not lines:
        run.error = "printed nothing"
        return None
    return max(0.0, foreign), json.loads(lines[-1])["metrics"]


measure.children = 0.0


def measure_all(runs, options):
    """`reps` interleaved rounds, then those that count allocations."""
    arguments = ["--scale=0.1"] if options.quick else []
    order = random.Random(options.seed)
    patience = machine.Patience(options.patience)
    for rep in range(options.reps):
        order.shuffle(runs)
        for number, run in enumerate(runs):
            if run.error:
                continue
            if options.verbose:
                print(f"bench: round {rep + 1}/{options.reps}, {number + 1}/{len(runs)}: "
                      f"{run.name}", file=sys.stderr)
            sample = measure(run, arguments)
            if sample and sample[0] > report.QUIET_SHARE and patience.left > 0:
                patience.await_quiet()
                again = measure(run, arguments)
                sample = min(sample, again, key=lambda s: s[0]) if again else sample
            if sample:
                run.samples.append(sample)
    for run in runs:
        beside = catalog.QUESTIONS[run.workload].beside
        if not run.error and ("allocs" in beside or run.workload == "w6"):
            count_allocations(run)


def count_allocations(run):
    """The least of up to five runs: a worker that the pool makes meanwhile allocates too."""
    for _ in range(5):
        counted = measure(run, ["--scale=0.05", "--count-allocs"])
        if not counted:
            return
        for name, value in counted[1].items():
            if name.endswith("allocs"):
                run.allocs[name] = min(value, run.allocs.get(name, value))
        if all(value == 0 or value > 0.05 for value in run.allocs.values()):
            return


def micro(folder, options):
    """Google Benchmark's part: medians of CPU time per call, as one run."""
    found = programs(folder, "micro")
    if not found:
        return None
    program = found[0]
    run = Run(program, "uwq", "micro")
    command = [program, "--benchmark_format=json", f"--benchmark_repetitions={options.reps}",
               f"--benchmark_min_time={0.01 if options.quick else 0.1}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        run.error = f"exit {done.returncode}"
        return run
    by_rep = {}
    for entry in json.loads(done.stdout)["benchmarks"]:
        if entry["run_type"] != "iteration":
            continue
        name = entry["name"].split("/")[0]
        values = by_rep.setdefault(entry["repetition_index"], {})
        values[name] = entry["cpu_time"]
        if "per_item" in entry:
            values[name] = entry["per_item"] * 1e9
        if "real_time" in entry["name"]:
            values[name] = entry["real_time"]
        if "allocs" in entry:
            values[name + " allocs"] = entry["allocs"]
    run.samples = [(None, values) for values in by_rep.values()]
    return run


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the programs")
    parser.add_argument("--filter", default="", help="only `WORKLOAD PEER` that match this")
    parser.add_argument("--json", type=pathlib.Path, help="write everything to this file")
    parser.add_argument("--svg", type=pathlib.Path, help="write the picture to this file")
    parser.add_argument("--markdown", type=pathlib.Path,
                        help="rewrite the measured parts of this document, and the picture beside it")
    parser.add_argument("--reps", type=int, help="repetitions; 7, with --quick 3")
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--patience", type=float,
                        help="seconds to wait, in all, for quiet moments; 120, with --quick 0")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the runs")
    parser.add_argument("--list", action="store_true", help="name the runs and end")
    parser.add_argument("--verbose", action="store_true", help="name each run as it starts")
    options = parser.parse_args(argv)
    if options.reps is None:
        options.reps = 3 if options.quick else 7
    if options.patience is None:
        options.patience = 0 if options.quick else 120
    if options.markdown and options.filter:
        parser.error("--markdown rewrites a whole document, --filter measures a part of it")
    if options.markdown:
        document.check(options.markdown)
    for path in (options.json, options.svg):
        if path and not os.access(path if path.exists() else path.parent, os.W_OK):
            parser.error(f"{path} cannot be written")
    if options.reps < 1:
        parser.error(f"--reps is at least 1, not {options.reps}")
    try:
        pattern = re.compile(options.filter)
    except re.error as error:
        parser.error(f"--filter {options.filter!r}: {error}")

    runs = discover(options.bin, pattern)
    if options.list:
        print("\n".join(run.name for run in runs))
        if pattern.search("micro uwq"):
            print("micro uwq")
        return 0
    with_micro = pattern.search("micro uwq") is not None
    if not runs and not with_micro:
        print(f"bench: nothing matches {options.filter!r}", file=sys.stderr)
        return 2
    environment = machine.describe()
    environment.update(reps=options.reps, quick=options.quick)
    measure.children = machine.children_seconds()
    started = time.monotonic()
    measure_all(runs, options)
    environment["load_after"] = machine.load()
    environment["minutes"] = round((time.monotonic() - started) / 60, 1)
    costs = machine.costs(programs(options.bin, "costs")) if with_micro else {}
    if with_micro and (extra := micro(options.bin, options)):
        runs.append(extra)
    table = report.summarise(runs)
    bars = report.judge(table, costs)
    if options.filter:  # of a part, its own bars
        bars = [bar for bar in bars if bar["state"] != "not measured"]
    sys.stdout.write(report.render(environment, table, bars, costs))
    if options.json:
        options.json.write_text(json.dumps(
            {"environment": environment, "costs_ns": costs,
             "rows": [row.as_dict() for row in table], "bars": bars}, indent=1) + "\n")
    if options.svg:
        options.svg.write_text(plot.picture(environment, table))
    if options.markdown:
        document.rewrite(options.markdown, environment, table, bars, costs)
        options.markdown.with_suffix(".svg").write_text(plot.picture(environment, table))
    failed = [run for run in runs if run.error]
    for run in failed:
        print(f"bench: {run.name}: {run.error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

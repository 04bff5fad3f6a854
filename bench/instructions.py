#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions per operation of the hot paths, counted by callgrind.

  bench/instructions.py PROGRAM                    the figures
  bench/instructions.py PROGRAM --check FILE       compare with FILE; exit 1 if one grew
                                                   by more than 3 %
  bench/instructions.py PROGRAM --update FILE      write FILE
  bench/instructions.py PROGRAM --functions        where they go: caller's thread, others

PROGRAM is bench/micro/hot_paths.  Each path runs with two counts; the difference of
the two, divided by the difference of the counts, has no start-up in it.  Unlike time,
the figure is the same on a busy machine.  Where a worker takes part, who runs first
decides about a wake-up more or less: those paths count as their least of three, and
may grow by 15 %.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FEW, MANY = 2000, 12000
TOLERANCE = 0.03
RACING = ("queue_run_unbound", "queue_run_percpu", "self_requeue_unbound", "self_requeue_percpu",
          "queue_flush")
RACING_TOLERANCE = 0.15
SLACK = 2.0  # instructions: on the shortest paths 3 % is less than one

_LINE = re.compile(r"^\s*([\d,]+)\s+\([ \d.]+%\)\s+(\S.*)$")


def count(program, path, repeats, folder, by_function):
    """({side: Counter of functions}, total) of one run; `side` is caller or worker."""
    out = folder / f"{path}.{repeats}"
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
    if by_function:
        command.append("--separate-threads=yes")
    done = subprocess.run([*command, program, path, str(repeats)], capture_output=True, text=True,
                          check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        raise SystemExit(f"instructions: {path}: {done.stderr.strip()[-300:]}")
    sides = {"caller": collections.Counter(), "worker": collections.Counter()}
    if by_function:
        for part in sorted(folder.glob(out.name + "-*")):
            side = sides["caller" if part.name.endswith("-01") else "worker"]
            listing = subprocess.run(["callgrind_annotate", "--auto=no", "--threshold=100",
                                      part],
                                     capture_output=True, text=True, check=True).stdout
            for line in listing.splitlines():
                match = _LINE.match(line)
                if match and match[2] != "PROGRAM TOTALS":
                    name = re.sub(r" \[.*\]$", "", match[2]).split(":", 1)[-1]
                    side[short(name)] += int(match[1].replace(",", ""))
    return sides, int(collected[1])


def short(name):
    """A function's name without namespaces, arguments and clone suffixes."""
    name = re.sub(r"\(.*$|@@.*$", "", name.replace("(anonymous namespace)::", ""))
    for prefix in ("uwq::core::", "uwq::base::", "uwq::delayed::", "uwq::bench::", "uwq::"):
        name = name.replace(prefix, "")
    return name or "?"


def figures(program, paths, by_function):
    results = {}
    with tempfile.TemporaryDirectory() as name:
        for path in paths:
            for attempt in range(3 if path in RACING and not by_function else 1):
                folder = pathlib.Path(name, str(attempt))
                folder.mkdir(exist_ok=True)
                few, few_total = count(program, path, FEW, folder, by_function)
                many, many_total = count(program, path, MANY, folder, by_function)
                each = (many_total - few_total) / (MANY - FEW)
                results[path] = min(results.get(path, each), each)
            if by_function:
                print(f"{path}: {results[path]:.1f}")
                for side in many:
                    many[side].subtract(few[side])
                    total = sum(many[side].values()) / (MANY - FEW)
                    print(f"  {side}: {total:.1f}")
                    for function, amount in many[side].most_common(25):
                        if (each := amount / (MANY - FEW)) >= 1:
                            print(f"    {each:7.1f}  {function}")
            else:
                print(f"{results[path]:10.1f}  {path}", flush=True)
    return results


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only paths that this expression matches")
    parser.add_argument("--functions", action="store_true")
    parser.add_argument("--check", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--update", type=pathlib.Path, metavar="FILE")
    options = parser.parse_args(argv)
    listed = subprocess.run([options.program, "--list"], capture_output=True, text=True,
                            check=True).stdout.split()
    paths = [path for path in listed if re.search(options.filter, path)]
    results = figures(options.program, paths, options.functions)
    if options.update:
        options.update.write_text(
            json.dumps({path: round(value, 1) for path, value in results.items()}, indent=1) + "\n")
    if not options.check:
        return 0
    known = json.loads(options.check.read_text())
    grown = 0
    for path in listed:
        tolerance = RACING_TOLERANCE if path in RACING else TOLERANCE
        if path not in known:
            print(f"instructions: {path} is not in {options.check}; run with --update")
            grown += 1
        elif path in results and results[path] > known[path] * (1 + tolerance) + SLACK:
            print(f"instructions: {path} grew from {known[path]} to {results[path]:.1f}")
            grown += 1
        elif path in results and results[path] < known[path] * (1 - tolerance) - SLACK:
            print(f"instructions: {path} shrank from {known[path]} to {results[path]:.1f}: "
                  "--update keeps it")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Instructions per operation of the hot paths, counted by callgrind.

  bench/instructions.py PROGRAM                    the figures
  bench/instructions.py PROGRAM --check FILE       compare with FILE; exit 1 if one
                                                   differs by more than 3 %
  bench/instructions.py PROGRAM --update FILE      write FILE
  bench/instructions.py PROGRAM --functions        where they go: caller's thread, others

PROGRAM is bench/micro/hot_paths.  Each path runs with two counts; the difference of
the two, divided by the difference of the counts, has no start-up in it.  Unlike time,
the figure is the same on a busy machine, and on any processor: what the C library
chooses by processor is chosen at start-up, and held to the least that all have.

Where a worker takes part, who runs first decides about a wake-up more or less, which
only ever adds: the figure is the least of several runs, and --check runs a path again
before it calls it grown.  Figures of another compiler are not compared.
"""

import argparse
import collections
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

FEW, MANY = 1000, 6000
TOLERANCE = 0.03
ROUNDING = 0.1  # of the recorded figures
ATTEMPTS = 3  # --update and plain figures: the least of so many
ATTEMPTS_MAX = 20  # --check: so many before a path has grown
# Wake-ups cost what the moment makes of them; the others repeat to the instruction.
RACING = ("queue_run_unbound", "queue_run_unbound_max2", "queue_run_percpu", "queue_run_ordered",
          "self_requeue_unbound", "self_requeue_percpu", "queue_flush", "queue_run_door")
ENVIRONMENT = {**os.environ, "GLIBC_TUNABLES":
               "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX,-ERMS,-FSRM,-RTM"}

_LINE = re.compile(r"^\s*([\d,]+)\s+\([ \d.]+%\)\s+(\S.*)$")


def count(program, path, repeats, folder, by_function):
    """({side: Counter of functions}, total) of one run; `side` is caller or worker."""
    out = folder / f"{path}.{repeats}"
    command = ["valgrind", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}"]
    if by_function:
        command.append("--separate-threads=yes")
    done = subprocess.run([*command, program, path, str(repeats)], capture_output=True, text=True,
                          check=False, env=ENVIRONMENT)
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


def measure(program, path, by_function=False):
    """(instructions per operation, {side: Counter of functions per operation})."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        few, few_total = count(program, path, FEW, folder, by_function)
        many, many_total = count(program, path, MANY, folder, by_function)
    for side in many:
        many[side].subtract(few[side])
    return (many_total - few_total) / (MANY - FEW), many


def least(program, path, known):
    """The least of several runs; with `known` until one is not above it."""
    best = measure(program, path)[0]
    attempts = 1 if path not in RACING else ATTEMPTS if known is None else ATTEMPTS_MAX
    for _ in range(attempts - 1):
        if known is not None and best <= known * (1 + TOLERANCE) + ROUNDING:
            break
        best = min(best, measure(program, path)[0])
    return best


def print_functions(program, path):
    each, sides = measure(program, path, by_function=True)
    print(f"{path}: {each:.1f}")
    for side, functions in sides.items():
        print(f"  {side}: {sum(functions.values()) / (MANY - FEW):.1f}")
        for function, amount in functions.most_common(25):
            if amount >= MANY - FEW:
                print(f"    {amount / (MANY - FEW):7.1f}  {function}")


def verdict(path, value, known):
    """What to say about a path, and whether it is not what was recorded."""
    if known is None:
        return "is not recorded; run with --update", True
    if value > known * (1 + TOLERANCE) + ROUNDING:
        return f"grew from {known} to {value:.1f}; if that is wanted, --update", True
    if value < known * (1 - TOLERANCE) - ROUNDING:
        # Not recorded it might be lost again unseen; a race may be won by chance.
        return f"shrank from {known} to {value:.1f}: --update keeps it", path not in RACING
    return "", False


def compiler():
    """What the program of a default build here was compiled with."""
    done = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True)
    return f"gcc {done.stdout.strip()}, {platform.machine()}"


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
    if options.functions:
        for path in paths:
            print_functions(options.program, path)
        return 0
    recorded = {"compiler": compiler(), "paths": {}}
    if options.check:
        recorded = json.loads(options.check.read_text())
        if recorded["compiler"] != compiler():
            print(f"recorded with {recorded['compiler']}, this is {compiler()}: not compared")
            return 0
    results, failed = {}, 0
    for path in paths:
        known = recorded["paths"].get(path)
        results[path] = least(options.program, path, known)
        text, grown = verdict(path, results[path], known) if options.check else ("", False)
        failed += grown
        print(f"{results[path]:10.1f}  {path}  {text}".rstrip(), flush=True)
    for path in sorted(set(recorded["paths"]) - set(listed)):
        print(f"{path} is recorded and does not exist; run with --update")
        failed += 1
    if options.update:
        recorded["paths"] = {path: round(value, 1) for path, value in results.items()}
        options.update.write_text(json.dumps(recorded, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

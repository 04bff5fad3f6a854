#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns a guest's console into a table scenario x result and compares it with the userspace run.

A scenario passes in the kernel when it printed "ok ID" and, if it announced "# ID expects a report", the kernel
complained before that line. A program that did not reach its end mark adds one failure under its own name, so a
crash or a hang can never look like a shorter list of successes.
"""
import argparse
import re
import sys

STAMP = re.compile(r"^\[ *\d+\.\d+\]( *\[[^\]]*\])? ?")
RESULT = re.compile(r"^(ok|not ok) (\S+) ?(.*)$")
REPORT = re.compile(r"WARNING: |BUG: |^workqueue: |drain_workqueue\(\) isn't complete|^uwq: |ODEBUG: ")
UNWANTED = re.compile(r"BUG: (?!workqueue)|Oops|general protection fault|Kernel panic|soft lockup|list_add corruption")


class Results:
    """Results of one world, in the order in which the scenarios ran."""

    def __init__(self):
        self.verdict = {}  # id -> (passed, remark)
        self.ended = set()  # programs that reached their end mark
        self.warned = {}  # id -> report lines seen while it ran
        self.program = {}  # id -> program that printed it, where that is known


def parse(lines):
    results = Results()
    program = None
    current, expects, reported, seen = None, False, False, []
    for raw in lines:
        line = STAMP.sub("", raw.rstrip("\r\n"))
        mark = re.match(r"^# (\S+) (.*)$", line)
        if mark and mark.group(1) == "end":
            results.ended.add(mark.group(2).split(":")[0])
            continue
        if mark and mark.group(2) == "expects a report" and mark.group(1) == current:
            expects = True
            continue
        if mark and mark.group(1) == "suite":
            program = mark.group(2)
            continue
        if mark:
            current, expects, reported, seen = mark.group(1), False, False, []
            continue
        if REPORT.search(line):
            reported = True
            seen.append(line)
        if UNWANTED.search(line):
            where = current or "boot"
            results.verdict["!" + where] = (False, line)
        match = RESULT.match(line)
        if not match:
            continue
        verdict, name, remark = match.groups()
        passed = verdict == "ok"
        if passed and expects and not reported:
            passed, remark = False, "no report was made"
        if name in results.verdict:
            passed, remark = False, "two results for one id"
        results.verdict[name] = (passed, remark)
        results.program[name] = program
        if seen and not expects:
            results.warned[name] = seen
        current, expects, reported, seen = None, False, False, []
    return results


def explanations(path):
    """Maps an id to the line of the document that names it between backquotes or at the start of a table row."""
    found = {}
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                text = line.strip().strip("|").strip()
                for name in re.findall(r"`([A-Z]+\d*(?:\.[a-z0-9_]+)*)`", line):
                    found.setdefault(name, re.sub(r"\s*\|\s*", ": ", text))
    except FileNotFoundError:
        pass
    return found


def explain(docs, name):
    """The sentence for `T003.percpu` may stand under the whole id or under any prefix of it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        sentence = docs.get(".".join(parts[:length]))
        if sentence:
            return sentence
    return None


def word(entry):
    if entry is None:
        return "absent"
    return "ok" if entry[0] else "NOT OK"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--console", required=True)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--userspace-tap")
    parser.add_argument("--differences")
    parser.add_argument("--tap-out")
    parser.add_argument("programs", nargs="+")
    args = parser.parse_args()

    with open(args.console, encoding="utf-8", errors="replace") as file:
        kernel = parse(file)
    for program in args.programs:
        if program not in kernel.ended:
            kernel.verdict["!" + program] = (False, "the program did not reach its end (hang, crash or load error)")
    if args.tap_out:
        with open(args.tap_out, "w", encoding="utf-8") as out:
            program = None
            for name, (passed, remark) in kernel.verdict.items():
                if kernel.program.get(name) != program and kernel.program.get(name):
                    program = kernel.program[name]
                    out.write(f"# suite {program}\n")
                out.write(f"{'ok' if passed else 'not ok'} {name}{' ' + remark if remark else ''}\n")
            out.write(f"1..{len(kernel.verdict)}\n")

    user = None
    if args.userspace_tap:
        with open(args.userspace_tap, encoding="utf-8", errors="replace") as file:
            user = parse(file)
        # Only what was asked for is compared; the file may hold every program.
        for name in [n for n, p in user.program.items() if p and p not in args.programs]:
            del user.verdict[name]
        for program in args.programs:
            if program not in user.ended:
                user.verdict["!" + program] = (False, "over uwq the program did not reach its end")
    docs = explanations(args.differences) if args.differences else {}

    names = list(kernel.verdict)
    if user:
        names += [n for n in user.verdict if n not in kernel.verdict]
    width = max([len(n) for n in names] + [8])
    head = f"{'scenario':<{width}}  {args.kernel}"
    print(head + ("  uwq" if user else ""))
    column = max(len(args.kernel), 6)
    passed = failed = 0
    differences = []
    for name in names:
        in_kernel = kernel.verdict.get(name)
        row = f"{name:<{width}}  {word(in_kernel):<{column}}"
        if user is None:
            good = in_kernel[0]
            remark = "" if good else "  " + in_kernel[1]
        else:
            in_user = user.verdict.get(name)
            row += f"  {word(in_user):<6}"
            if in_kernel and in_user and in_kernel[0] and in_user[0]:
                good, remark = True, ""
            else:
                sentence = explain(docs, name)
                good = sentence is not None
                reasons = [e[1] for e in (in_kernel, in_user) if e and not e[0] and e[1]]
                remark = "  " + "; ".join(reasons) if reasons else ""
                differences.append((name, sentence))
        print((row + remark).rstrip())
        passed += good
        failed += not good
    for name, lines in kernel.warned.items():
        print(f"note: {name} made the kernel say: {lines[0]}")
    for name, lines in user.warned.items() if user else ():
        print(f"note: {name} made uwq say: {lines[0]}")
    if differences:
        print("\ndifferences:")
        for name, sentence in differences:
            print(f"  {name}: {sentence or 'NOT EXPLAINED in the document of differences'}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not names else 0


if __name__ == "__main__":
    sys.exit(main())

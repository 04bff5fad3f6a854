#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Counts what a `bazel test` run did, from its build event file.

A GoogleTest program counts one per test case, any other test target counts one.
Invariant: whatever did not demonstrably pass is counted as failed: a target that
did not build, a crash in the middle, a non-zero exit after green cases (a leak
report), a program without a single test case, a run without a single test.
"""

import argparse
import json
import re
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree

SCHEDULES = re.compile(r"^\s*sim schedules: (\d+)\s*$")
RUN_LINE = re.compile(r"^\[ RUN      \] (\S+)")
OK_LINE = re.compile(r"^\[       OK \] (\S+)")
FAILED_LINE = re.compile(r"^\[  FAILED  \] ([^\s,]+)")
SKIPPED_LINE = re.compile(r"^\[  SKIPPED \] ([^\s,]+)")

# Exit codes of Bazel that a count of the tests explains: all well, a test failed,
# no test found.  Any other non-zero code is a failure of its own.
EXPLAINED_EXITS = (0, 3, 4)


class Counts:
    def __init__(self):
        self.passed = 0
        self.failed = 0
        self.skipped = 0
        self.schedules = 0
        self.failures = []
        self.skips = []

    def fail(self, name, reason):
        self.failed += 1
        self.failures.append(f"{name}: {reason}")

    def skip(self, name):
        self.skipped += 1
        self.skips.append(name)


def local_path(outputs, name):
    """The path of a test's output file, or None if it has none on this machine."""
    for output in outputs:
        uri = output.get("uri", "")
        if output.get("name") == name and uri.startswith("file:"):
            return urllib.parse.unquote(urllib.parse.urlparse(uri).path)
    return None


def read_lines(path):
    if path is None:
        return []
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read().splitlines()
    except OSError:
        return []


def gtest_cases(path):
    """Yields (name, 'passed' | 'failed' | 'skipped') from a GoogleTest report.

    Returns None if the file is not one: Bazel writes a report of its own for
    other programs, and for a GoogleTest program that died before its report.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, TypeError, ElementTree.ParseError):
        return None
    if root.tag != "testsuites" or root.get("name") != "AllTests":
        return None
    cases = []
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        elif case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
            outcome = "skipped"
        else:
            outcome = "passed"
        cases.append((name, outcome))
    return cases


def cases_from_log(lines):
    """What a GoogleTest program had done when it died, from its output."""
    outcomes = {}
    for line in lines:
        for pattern, outcome in (
            (RUN_LINE, "failed"),  # stays so unless an end is seen
            (OK_LINE, "passed"),
            (FAILED_LINE, "failed"),
            (SKIPPED_LINE, "skipped"),
        ):
            match = pattern.match(line)
            if match:
                outcomes[match.group(1)] = outcome
    return list(outcomes.items())


def count_result(counts, label, kind, status, outputs):
    """Adds one run (one shard) of the test `label`."""
    lines = read_lines(local_path(outputs, "test.log"))
    for line in lines:
        match = SCHEDULES.match(line)
        if match:
            counts.schedules += int(match.group(1))
    # A script may start GoogleTest programs that are meant to fail: it counts as one.
    cases = None
    if kind == "cc_test rule":
        cases = gtest_cases(local_path(outputs, "test.xml"))
        if cases is None and any(RUN_LINE.match(line) for line in lines):
            cases = cases_from_log(lines)
        elif cases == []:
            counts.fail(label, "has no test case")
            return
    if cases is None:
        if status == "PASSED":
            counts.passed += 1
        else:
            counts.fail(label, status)
        return
    failed_before = counts.failed
    for name, outcome in cases:
        if outcome == "passed":
            counts.passed += 1
        elif outcome == "skipped":
            counts.skip(f"{label}: {name}")
        else:
            counts.fail(label, name)
    if status != "PASSED" and counts.failed == failed_before:
        counts.fail(label, f"{status} although its test cases passed (see the end of its log)")


def count(events, bazel_exit, schedules_min=0):
    """Counts over the decoded build events of one `bazel test` run."""
    counts = Counts()
    kinds = {}
    broken = {}
    finished = False
    for event in events:
        identity = event.get("id", {})
        finished = finished or "buildFinished" in identity
        if "targetConfigured" in identity and "configured" in event:
            kinds[identity["targetConfigured"]["label"]] = event["configured"].get("targetKind", "")
        elif "testResult" in identity and "testResult" in event:
            label = identity["testResult"]["label"]
            result = event["testResult"]
            count_result(
                counts,
                label,
                kinds.get(label, ""),
                result.get("status", "NO_STATUS"),
                result.get("testActionOutput", []),
            )
        elif "targetCompleted" in identity:
            if "aborted" in event or not event.get("completed", {}).get("success", False):
                broken[identity["targetCompleted"]["label"]] = "did not build"
        elif "aborted" in event:
            for key in ("testSummary", "testResult"):
                if key in identity:
                    broken.setdefault(identity[key]["label"], "did not run")
            # A folder whose BUILD file is wrong, a label that does not exist.
            for key in ("pattern", "unconfiguredLabel", "configuredLabel"):
                if key in identity:
                    name = identity[key].get("label") or " ".join(identity[key].get("pattern", []))
                    broken.setdefault(name, event["aborted"].get("reason", "aborted"))
    for label, reason in broken.items():
        counts.fail(label, reason)
    # A folder whose BUILD file cannot be read leaves no event, only the exit code.
    if not finished or (bazel_exit not in EXPLAINED_EXITS and not broken):
        counts.fail("bazel", f"ended with exit code {bazel_exit} (see its ERROR lines)")
    if counts.schedules < schedules_min:
        counts.fail("explorer", f"{counts.schedules} schedules, of at least {schedules_min}")
    if counts.passed + counts.failed + counts.skipped == 0:
        counts.fail("bazel", "no test ran")
    return counts


def read_events(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return  # cut short by a killed Bazel; the missing end is noticed above


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events", help="file written by --build_event_json_file")
    parser.add_argument("--bazel-exit", type=int, default=0, help="exit code of that Bazel")
    parser.add_argument("--schedules-min", type=int, default=0, help="fewer are a failure")
    parser.add_argument("--counts", help="file to write 'passed failed skipped' to")
    arguments = parser.parse_args()
    counts = count(
        read_events(arguments.events), arguments.bazel_exit, arguments.schedules_min
    )
    for name in counts.skips:
        print(f"skipped: {name}")
    for name in counts.failures:
        print(f"failed: {name}")
    if counts.schedules:
        print(f"sim schedules: {counts.schedules}")
    if arguments.counts:
        with open(arguments.counts, "w", encoding="utf-8") as out:
            print(counts.passed, counts.failed, counts.skipped, file=out)
    return 1 if counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())

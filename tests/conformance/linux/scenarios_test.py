#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""README.md says which program covers which scenario, and where the others are tested: that is so.

Fails when a program has a scenario that its row does not name or the reverse, when a scenario stands nowhere or twice,
when one that is not here has no reason or no test that names it, or when the tables no longer add up to the reference.
"""
import glob
import os
import re
import sys

HERE = "tests/conformance/linux"
SCENARIOS_IN_REFERENCE = 131  # section 5, T001 to T158; some numbers are not given away


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def ids_of_program(path):
    """The ids in the table of a program, each once: T003 for T003.percpu."""
    return set(re.findall(r'^    \{"([A-Z]+\d*)[."]', read(path), re.M))


def main():
    faults = []
    readme = read(f"{HERE}/README.md")
    here = {}  # id -> program
    for program, listed in re.findall(r"^\| `(\w+\.c)` \| [^|]* \| ([^|]*) \|$", readme, re.M):
        listed = set(re.findall(r"\b[A-Z]+\d*\b", listed.split(":")[0]))
        path = f"{HERE}/{program}"
        present = ids_of_program(path) if os.path.exists(path) else set()
        for name in sorted(listed ^ present):
            faults.append(f"{program}: {name} is only in {'README.md' if name in listed else 'the program'}")
        for name in listed:
            if name in here:
                faults.append(f"{name} is in {here[name]} and in {program}")
            here[name] = program
    for path in glob.glob(f"{HERE}/*.c"):
        if os.path.basename(path) not in here.values():
            faults.append(f"{os.path.basename(path)} has no row")

    elsewhere = set()
    for names, reason, test in re.findall(r"^\| (T\d{3}(?: T\d{3})*) \| ([^|]+) \| `([^`|]+)` \|$", readme, re.M):
        for name in names.split():
            if name in here or name in elsewhere:
                faults.append(f"{name} stands twice")
            elsewhere.add(name)
            if not reason.strip():
                faults.append(f"{name} has no reason")
            if not os.path.exists(test) or not re.search(rf"\b{name}(?!\d)", read(test)):
                faults.append(f"{name} is not tested by {test}")
    total = len([name for name in here if name.startswith("T")]) + len(elsewhere)
    if total != SCENARIOS_IN_REFERENCE:
        faults.append(f"{total} scenarios, not {SCENARIOS_IN_REFERENCE}")
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(here)} ids in programs, {len(elsewhere)} tested elsewhere, {len(faults)} faults")
    return 1 if faults or not here or not elsewhere else 0


if __name__ == "__main__":
    sys.exit(main())

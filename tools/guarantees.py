#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each file that docs/guarantees.md names beside an id exists and cites it; ids are unique."""

import os
import re
import sys

ROW = re.compile(r"^\| ([A-Z]\d{1,2}) \| (.+) \| (.+) \|$")
RANGE = re.compile(r"\b([A-Z])(\d{1,2})-[A-Z]?(\d{1,2})\b")


def cited(path):
    """The ids in a file, `F1-F3` and `F1-3` written out."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        text = stream.read()
    ids = set(re.findall(r"\b[A-Z]\d{1,2}\b", text))
    for letter, first, last in RANGE.findall(text):
        ids.update(f"{letter}{n}" for n in range(int(first), int(last) + 1))
    return ids


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    known = {}
    problems, seen, unchecked = [], set(), []
    with open("docs/guarantees.md", encoding="utf-8") as document:
        rows = [match.groups() for match in map(ROW.match, document.read().splitlines()) if match]
    for identity, _, where in rows:
        if identity in seen:
            problems.append(f"{identity}: twice")
        seen.add(identity)
        files = re.findall(r"`([^`]+)`", where)
        if not files and where == "—":
            unchecked.append(identity)
        for path in files:
            if path not in known:
                known[path] = cited(path) if os.path.isfile(path) else None
            if known[path] is None:
                problems.append(f"{identity}: no file {path}")
                continue
            if identity not in known[path]:
                problems.append(f"{identity}: not cited by {path}")
    if len(rows) < 150:
        problems.append(f"{len(rows)} rows only: has the table's form changed?")
    print("\n".join(problems + [f"{len(rows)} guarantees, without a file: {' '.join(unchecked)}"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the measured parts of a document, so that no figure in it is typed by hand.

Used by bench/run.py; and for the output of another command, as it is (a table in
Markdown as a table, all else as program text):

  tools/kernel-test bench | bench/document.py docs/performance.md kernel
  bazel-bin/kup_bridge/kup_bench --markdown | bench/document.py docs/kup_protocol.md kup_bench

A part stands between `<!-- measured: NAME -->` and `<!-- end of NAME -->`; the text
around it is left alone.  A part of which nothing was measured keeps what it has.
"""

import json
import pathlib
import re
import sys

import catalog
import report

INSTRUCTIONS = pathlib.Path(__file__).with_name("instructions.json")


def _table(rows):
    """Rows of cells, the head first, as a Markdown table."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = ["| " + " | ".join(row) + " |" for row in escaped]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def _value(row):
    return report.number(row.median) + ("~" if row.noisy else "")


def _environment(environment):
    when = " ".join(environment["load_before"])
    minutes = f" in {environment['minutes']} minutes" if "minutes" in environment else ""
    return (f"{environment['cpu']}, {environment['cpus']} CPUs"
            f"{' (virtual)' if environment.get('virtual') else ''}, Linux {environment['kernel']}, "
            f"clock {environment.get('clock', 'unknown')}, {environment.get('libc', '')}, "
            f"{environment.get('compiler', '')}, commit {environment.get('commit', 'unknown')}; "
            f"CPUs that share the last cache: {environment.get('shared_cache', 'unknown')}; "
            f"{environment.get('peers', '')}; medians of {environment['reps']} rounds"
            f"{', a tenth of the sizes' if environment.get('quick') else ''}{minutes}; "
            f"load before: {when}. `~`: others used the machine meanwhile.")


def _bars(bars):
    if all(bar["state"] == "not measured" for bar in bars):
        return None
    return _table(report.verdict_rows(bars))


def _results(table):
    """One line per question: ours, the best peer, what ours uses beside time, the others."""
    rows = [["workload", *catalog.OURS, "least ... largest", "best peer", "ratio",
             "uwq beside", "the others, best first"]]
    groups = {}
    for row in table:
        if row.workload != "micro":
            groups.setdefault((row.workload, row.metric), []).append(row)
    for (workload, metric), group in groups.items():
        ours = {row.peer: row for row in group if row.peer in catalog.OURS}
        peers = [row for row in group if row.peer not in catalog.OURS]
        rivals = [row for row in peers
                  if row.ratio and row.peer not in catalog.no_rivals(workload)]
        best = min(rivals, key=lambda row: row.ratio, default=None)
        first = ours.get("uwq") or next(iter(ours.values()), None)
        beside = first.beside if first else {}
        rows.append([
            f"{workload}, {metric} ({group[0].unit})",
            *(_value(ours[name]) if name in ours else "" for name in catalog.OURS),
            f"{report.number(first.low)} ... {report.number(first.high)}" if first else "",
            f"{best.peer} {_value(best)}" if best else "",
            f"{first.ratio:.2f}" if first and first.ratio else "",
            (f"{first.peer}: " if first and first.peer != "uwq" and beside else "") +
            ", ".join(f"{name} {report.number(value)}" for name, value in beside.items()),
            ", ".join(f"{row.peer} {_value(row)}" for row in peers if row is not best)])
    return _table(rows) if len(rows) > 1 else None


def _calls(table):
    rows = [row for row in table if row.workload == "micro" and not row.metric.endswith("allocs")]
    allocs = {row.metric.removesuffix(" allocs"): row.median for row in table
              if row.workload == "micro" and row.metric.endswith("allocs")}
    if not rows:
        return None
    return _table([["call", "CPU ns", "least ... largest", "allocations"]] + [
        [row.metric.removeprefix("BM_"), report.number(row.median),
         f"{report.number(row.low)} ... {report.number(row.high)}",
         report.number(allocs.get(row.metric))] for row in rows])


def _costs(costs):
    if not costs:
        return None
    return _table([["step", "ns"]] + [[name, report.number(ns)] for name, ns in costs.items()])


_GROWTH = (
    ("producers 1, 2, 4, 8, unbound, ns/item", "uwq",
     (("w1", "wall_ns"), ("producers2", "wall_ns"), ("w2", "wall_ns"), ("producers8", "wall_ns"))),
    ("the same, per-CPU queue", "uwq-percpu",
     (("w1", "wall_ns"), ("producers2", "wall_ns"), ("w2", "wall_ns"), ("producers8", "wall_ns"))),
    ("ordered queues 1, 1000, ns/item", "uwq", (("w4", "wall_ns"), ("queues1000", "wall_ns"))),
    ("timers 10^5, 10^6: arm, CPU ns", "uwq", (("w6_100k", "arm_cpu_ns"), ("w6", "arm_cpu_ns"))),
    ("timers 10^5, 10^6: cancel in random order, CPU ns", "uwq",
     (("w6_100k", "cancel_cpu_ns"), ("w6", "cancel_cpu_ns"))),
    ("bytes per waiting item", "uwq-max2", (("memory", "item_bytes"),)),
    ("bytes per armed delayed item", "uwq", (("w6", "timer_bytes"),)),
    ("bytes per queue", "uwq", (("memory", "queue_bytes"),)),
    ("bytes per worker", "uwq", (("memory", "worker_bytes"),)),
)


def _growth(table):
    found = {(row.workload, row.peer, row.metric): _value(row) for row in table}
    rows = [["with", "figures"]]
    for text, peer, keys in _GROWTH:
        values = [found.get((workload, peer, metric)) for workload, metric in keys]
        if all(values):
            rows.append([text, " → ".join(values)])
    return _table(rows) if len(rows) > 1 else None


def instructions(known):
    """The recorded counts of instructions.json."""
    return _table([["path", "instructions"]] +
                  [[path, f"{count:.0f}"] for path, count in known["paths"].items()])


def replace(text, name, content):
    """`text` with the part `name` replaced; a document without that part is an error."""
    pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"bench: the document has no part '{name}'")
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", text)


def of_command(output):
    """A table in Markdown as it is, all else as program text."""
    return output if output.startswith("|") else f"```\n{output}\n```"


PARTS = ("environment", "bars", "results", "calls", "costs", "growth", "instructions")


def check(path):
    """Ends the program unless `path` is a document that rewrite() can rewrite."""
    try:
        text = path.read_text()
    except OSError as error:
        raise SystemExit(f"bench: {path}: {error.strerror}") from None
    for name in PARTS:
        replace(text, name, "")


def rewrite(path, environment, table, bars, costs):
    text = path.read_text()
    parts = {"environment": _environment(environment), "bars": _bars(bars),
             "results": _results(table), "calls": _calls(table), "costs": _costs(costs),
             "growth": _growth(table),
             "instructions": instructions(json.loads(INSTRUCTIONS.read_text()))}
    for name, content in parts.items():
        if content is not None:
            text = replace(text, name, content)
    path.write_text(text)


def main(argv):
    if len(argv) != 2:
        print("usage: COMMAND | bench/document.py FILE PART", file=sys.stderr)
        return 2
    path, output = pathlib.Path(argv[0]), sys.stdin.read().strip()
    if not output:
        print("bench: nothing to write", file=sys.stderr)
        return 1
    path.write_text(replace(path.read_text(), argv[1], of_command(output)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: BSD-3-Clause
"""From samples to medians, from medians to a table and a verdict on each bar."""

import dataclasses
import statistics

import catalog

QUIET_SHARE = 0.06


@dataclasses.dataclass
class Row:
    """One metric of one workload of one peer."""

    workload: str
    peer: str
    metric: str
    unit: str
    median: float
    low: float
    high: float
    mad: float  # median of the absolute deviations from the median
    samples: int
    quiet: int  # of which on a quiet machine
    noisy: bool  # the median had to use samples from a noisy machine
    beside: dict
    ratio: float = None  # to the best peer of this workload and metric

    def as_dict(self):
        return dataclasses.asdict(self)


def usable(samples):
    """The quiet samples if they are the majority and at least three, else all."""
    quiet = [m for share, m in samples if share is None or share <= QUIET_SHARE]
    if len(quiet) >= 3 and 2 * len(quiet) > len(samples):
        return quiet, len(quiet), False
    return [m for _, m in samples], len(quiet), len(quiet) < len(samples)


def _median_of(samples, metric):
    values = [m[metric] for m in samples if metric in m]
    return statistics.median(values) if values else None


def rows_of(run):
    samples, quiet, noisy = usable(run.samples)
    if not samples:
        return []
    question = catalog.QUESTIONS.get(run.workload)
    if question is None:  # micro: every benchmark is a question of its own
        metrics, unit, beside = list(samples[0]), "CPU ns/call", ()
    else:
        metrics, unit, beside = question.metrics or (question.metric,), question.unit, \
            question.beside
    rows = []
    for metric in metrics:
        values = [m[metric] for m in samples if metric in m]
        if not values:
            continue
        median = statistics.median(values)
        others = {name: _median_of(samples, name) for name in beside}
        # Of several answers each has its own count: arm_cpu_ns and arm_allocs.
        own = metric.replace("_cpu_ns", "_allocs") if question and question.metrics else "allocs"
        if own in run.allocs:
            others[own] = run.allocs[own]
        rows.append(Row(run.workload, run.peer, metric,
                        "bytes" if metric.endswith("_bytes") else unit, median, min(values), max(values),
                        statistics.median(abs(v - median) for v in values), len(values), quiet,
                        noisy, {k: v for k, v in others.items() if v is not None}))
    return rows


def summarise(runs):
    """All rows, in the order of the catalogue, the fastest first, with ratios."""
    order = {name: i for i, name in enumerate([*catalog.QUESTIONS, "micro"])}
    table = [row for run in runs for row in rows_of(run)]
    best = {}
    for row in table:
        if row.peer in catalog.no_rivals(row.workload) or row.workload == "micro":
            continue
        # A timer that fires early does another job; so does a figure of zero.
        if row.median <= 0 or row.beside.get("early", 0) > 0:
            continue
        key = (row.workload, row.metric)
        best[key] = min(best.get(key, row.median), row.median)
    for row in table:
        reference = best.get((row.workload, row.metric))
        if reference and row.median > 0 and not row.beside.get("early", 0):
            row.ratio = row.median / reference

    def place(row):
        question = catalog.QUESTIONS.get(row.workload)
        metrics = list(question.metrics) if question and question.metrics else []
        within = metrics.index(row.metric) if row.metric in metrics else 0
        return order[row.workload], within, row.median if question else 0

    return sorted(table, key=place)


def _find(table, workload, peer, metric):
    for row in table:
        if row.workload == workload and row.peer == peer:
            if row.metric == metric:
                return row.median, row.noisy
            if metric in row.beside:
                return row.beside[metric], row.noisy
    return None, False


def _floor(bar, table, costs):
    """(value, its name) of what the machine allows at best; (None, "") if unknown."""
    if not bar.floor:
        return None, ""
    if bar.floor[0] == "costs":
        return costs.get(bar.floor[1]), bar.floor[1]
    return _find(table, *bar.floor)[0], bar.floor[1]


def judge(table, costs):
    """Each bar: what we measure, what the bar is, against whom, and whether it holds."""
    verdicts = []
    for bar in catalog.BARS:
        ours, noisy = _find(table, bar.workload, bar.ours, bar.metric)
        limit, against = bar.limit, ""
        if limit is None:
            peers = {row.peer for row in table if row.workload == bar.workload}
            measured = {}
            for peer in catalog.candidates(bar, sorted(peers)):
                value, peer_noisy = _find(table, bar.workload, peer, bar.metric)
                if value is not None:
                    measured[peer] = (value, peer_noisy)
            if measured:
                against = min(measured, key=lambda p: measured[p][0])
                limit = bar.factor * measured[against][0]
                noisy = noisy or measured[against][1]
        if ours is None or limit is None:
            state = "not measured"
        else:
            state = "PASS" if ours <= limit else "FAIL"
        floor, floor_name = _floor(bar, table, costs)
        verdicts.append({"issue": bar.issue, "bar": bar.name, "ours": ours, "limit": limit,
                         "against": against, "peer": bar.ours, "state": state, "noisy": noisy,
                         "floor": floor, "floor_name": floor_name})
    return verdicts


def verdict_rows(bars):
    """The cells of the verdict table, with its head."""
    rows = [["bar", "issue", "ours", "limit", "against", "verdict", "the machine's own"]]
    for bar in bars:
        rows.append([
            bar["bar"], str(bar["issue"] or "-"),
            "-" if bar["ours"] is None else f"{number(bar['ours'])} ({bar['peer']})",
            number(bar["limit"]), bar["against"] or "-",
            bar["state"] + ("~" if bar["noisy"] and bar["state"] != "not measured" else ""),
            "-" if bar["floor"] is None else f"{number(bar['floor'])} ({bar['floor_name']})"])
    return rows


def number(value):
    """Three digits that matter, with k and M above."""
    if value is None:
        return "-"
    magnitude = abs(value)
    for size, suffix in ((1e6, "M"), (1e4, "k")):
        if magnitude >= size:
            return f"{value / (1e6 if suffix == 'M' else 1e3):.3g}{suffix}"
    if magnitude >= 1000:
        return f"{value:.0f}"
    if magnitude and magnitude < 0.001:
        return f"{value:.1e}"
    return f"{value:.3g}"


def _columns(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _workload_table(rows):
    beside = list(dict.fromkeys(name for row in rows for name in row.beside))
    head = ["peer", "median", "min ... max", "MAD", "vs best", *beside]
    body = [head]
    for row in rows:
        name = ("* " if row.peer in catalog.OURS else "  ") + row.peer
        body.append([name, number(row.median) + ("~" if row.noisy else ""),
                     f"{number(row.low)} ... {number(row.high)}", number(row.mad),
                     f"{row.ratio:.2f}" if row.ratio else "-",
                     *(number(row.beside.get(column)) for column in beside)])
    return _columns(body)


def render(environment, table, bars, costs):
    lines = [f"{key}: {' '.join(value) if isinstance(value, list) else value}"
             for key, value in environment.items()]
    groups = {}
    for row in table:
        groups.setdefault((row.workload, row.metric if row.workload != "micro" else ""),
                          []).append(row)
    for (workload, metric), rows in groups.items():
        question = catalog.QUESTIONS.get(workload)
        text = question.text if question else "single calls of one thread"
        lines += ["", f"{workload}: {text}", f"  {metric or 'CPU time'} ({rows[0].unit}), "
                  f"n={max(row.samples for row in rows)}"]
        if question:
            lines += _workload_table(rows)
        else:
            lines += _columns([["call", "median", "min ... max"]] + [
                [row.metric, number(row.median), f"{number(row.low)} ... {number(row.high)}"]
                for row in rows])
    if costs:
        lines += ["", "the machine's own costs, ns"]
        lines += _columns([[name, number(value)] for name, value in costs.items()])
    if bars:
        lines += ["", "bars"] + _columns(verdict_rows(bars))
        states = [bar["state"] for bar in bars]
        lines += [f"  {states.count('PASS')} PASS, {states.count('FAIL')} FAIL, "
                  f"{states.count('not measured')} not measured"]
    if any(row.noisy for row in table):
        lines += ["", "~ others used the machine during these runs"]
    return "\n".join(lines) + "\n"

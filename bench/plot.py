# SPDX-License-Identifier: BSD-3-Clause
"""The picture: one panel per question, one bar per peer, ours in colour.

Logarithmic, since the peers of one question lie up to a factor of 1000 apart; the
whisker runs from the least to the largest sample.
"""

import html
import math

import catalog
import report

_ROW, _PANEL, _LABEL, _GAP, _COLUMNS = 16, 330, 110, 26, 3
_STYLE = ("text{font:11px sans-serif;fill:#222}.h{font-weight:bold}.s{fill:#666;font-size:10px}"
          ".o{fill:#0a7d4f}.p{fill:#9db4cc}.l{fill:#d9c38f}.w{stroke:#333;stroke-width:1}")


def _groups(table):
    groups = {}
    for row in table:
        if row.workload != "micro" and row.median > 0:
            groups.setdefault((row.workload, row.metric), []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def _panel(rows, left, top):
    lowest = min(row.low if row.low > 0 else row.median for row in rows)
    highest = max(row.high for row in rows)
    floor = 10 ** math.floor(math.log10(lowest) - 0.1)
    span = max(math.log10(highest / floor), 0.3)
    width = _PANEL - _LABEL - 60

    def x(value):
        share = math.log10(max(value, floor) / floor) / span
        return left + _LABEL + width * min(1.0, share)

    question = catalog.QUESTIONS[rows[0].workload]
    parts = [f'<text class="h" x="{left}" y="{top}">{html.escape(rows[0].workload)}: '
             f'{html.escape(rows[0].metric)}, {html.escape(question.unit)}</text>',
             f'<text class="s" x="{left}" y="{top + 13}">{html.escape(question.text)}</text>']
    for i, row in enumerate(rows):
        y = top + 20 + i * _ROW
        kind = "o" if row.peer in catalog.OURS else "l" if row.peer in catalog.LIMITS else "p"
        parts.append(f'<text x="{left + _LABEL - 6}" y="{y + 11}" text-anchor="end">'
                     f'{html.escape(row.peer)}</text>')
        parts.append(f'<rect class="{kind}" x="{left + _LABEL}" y="{y + 2}" height="{_ROW - 5}" '
                     f'width="{max(1.0, x(row.median) - left - _LABEL):.1f}"/>')
        parts.append(f'<line class="w" x1="{x(row.low):.1f}" x2="{x(row.high):.1f}" '
                     f'y1="{y + 7.5}" y2="{y + 7.5}"/>')
        parts.append(f'<text x="{left + _LABEL + width + 6}" y="{y + 11}">'
                     f'{report.number(row.median)}{"~" if row.noisy else ""}</text>')
    return parts


def picture(environment, table):
    """The SVG text."""
    parts, tops = [], [50] * _COLUMNS
    for rows in _groups(table):
        column = tops.index(min(tops))
        parts += _panel(rows, 12 + column * (_PANEL + _GAP), tops[column])
        tops[column] += 20 + _ROW * len(rows) + _GAP
    width = 12 + _COLUMNS * (_PANEL + _GAP)
    head = (f'{environment["cpu"]}, {environment["cpus"]} CPUs, Linux {environment["kernel"]}, '
            f'medians of {environment["reps"]}, whiskers least to largest, logarithmic')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{max(tops)}" '
            f'viewBox="0 0 {width} {max(tops)}"><style>{_STYLE}</style>'
            f'<rect width="100%" height="100%" fill="white"/>'
            f'<text class="s" x="12" y="20">{html.escape(head)}</text>' + "".join(parts) +
            "</svg>\n")

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# tap_test.sh -- runs one conformance program in userspace and judges its output.
#
#   tap_test.sh PROGRAM kernel_differences.md
#
# Every scenario is "ok", but for those that the document of differences names, which
# must be "not ok": a difference that has gone away is a line to delete.  A scenario
# that announces a report must make one, and the program must reach its end.
set -u
program=$1 differences=$2
output=$("$program" 2>&1)
status=$?
printf '%s\n' "$output"
printf '%s\n' "$output" | awk -v status="$status" -v differences="$differences" '
  function explained(id,   prefix) {
    for (prefix = id; ; sub(/\.[^.]*$/, "", prefix)) {
      if (prefix in known) return 1
      if (prefix !~ /\./) return 0
    }
  }
  function fail(text) { print "FAILED: " text; failures++ }
  BEGIN {
    while ((getline line < differences) > 0) {
      while (match(line, /`[A-Z]+[0-9]*(\.[a-z0-9_]+)*`/)) {
        known[substr(line, RSTART + 1, RLENGTH - 2)] = 1
        line = substr(line, RSTART + RLENGTH)
      }
    }
  }
  /^# end / { ended = 1; next }
  /^# [^ ]+ expects a report$/ { expects = 1; next }
  /^# / { expects = 0; reported = 0; next }
  /^uwq: / { reported = 1 }
  /^ok / {
    results++
    if (explained($2)) fail($2 " is ok, but the document of differences names it")
    if (expects && !reported) fail($2 ": no report was made")
  }
  /^not ok / { results++; if (!explained($3)) fail($0) }
  /^1\.\.[0-9]+$/ { planned = substr($0, 4) }
  END {
    if (status != 0) fail("exit status " status)
    if (!ended) fail("the program did not reach its end")
    if (results == 0 || results != planned) fail(results + 0 " results, planned " planned)
    print results + 0 " scenarios, " failures + 0 " failures"
    exit failures > 0
  }'

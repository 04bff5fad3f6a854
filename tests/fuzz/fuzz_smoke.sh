#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuzz_smoke.sh -- lets a libFuzzer program search for a bounded time.
#
#   fuzz_smoke.sh PROGRAM CORPUS
#   UWQ_FUZZ_SECONDS=N  how long [60]
#   UWQ_FUZZ_SEED=N     where to start [1]
#
# A crash prints the stack and leaves the input beside the other outputs of the test.
set -euo pipefail
program=$1 corpus=$2
found=$TEST_TMPDIR/found
mkdir -p "$found"
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
"$program" -max_total_time="${UWQ_FUZZ_SECONDS:-60}" -seed="${UWQ_FUZZ_SEED:-1}" -timeout=20 \
  -artifact_prefix="${TEST_UNDECLARED_OUTPUTS_DIR:-.}/" -print_final_stats=1 \
  "$found" "$corpus" >"$TEST_TMPDIR/log" 2>&1 || {
  tail -n 100 "$TEST_TMPDIR/log"
  exit 1
}
# A search that did not search is no proof: the corpus was read, and it went on from there.
files=$(find -L "$corpus" -type f | wc -l)
runs=$(sed -nE 's/^stat::number_of_executed_units: ([0-9]+)$/\1/p' "$TEST_TMPDIR/log")
grep -E 'INITED|DONE|stat::' "$TEST_TMPDIR/log" || true
((files > 0 && runs > 10 * files)) || {
  printf '%s runs from %s files: too few\n' "$runs" "$files"
  exit 1
}

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# docs/timers.md shows both programs as they are, and they print what they should:
# examples_test.sh DOCUMENT (PROGRAM SOURCE OUTPUT)...
set -eu
document=$1
shift
while (($#)); do
  program=$1 source=$2 expected=$3
  shift 3
  code=$(tail -n +2 "$source") # without the licence line
  [[ "$(cat "$document")" == *"$code"* ]] || {
    echo "$document does not show $source as it is"
    exit 1
  }
  out=$("$program" | tr '\n' '/')
  [[ "$out" == "$expected" ]] || {
    echo "$program printed $out, not $expected"
    exit 1
  }
done

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# README's first program is tests/docs/first_program.cc, and does what it says.
set -eu
program=$1 source=$2 readme=$3
shown=$(awk '/^```cpp$/ {on=1; next} /^```$/ {if (on) exit} on' "$readme")
if [ "$shown" != "$(cat "$source")" ]; then
  echo "README's first program differs from $source"
  diff <(printf '%s\n' "$shown") "$source" || true
  exit 1
fi
out=$("$program")
if [ "$out" != $'frame handled\npolled' ]; then
  echo "unexpected output: $out"
  exit 1
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# module_test.sh -- the loader: order, parameters, failures, staying.
set -u
program=$1
failures=0
expect() { # NAME STATUS TEXT...: each TEXT is a line of the output
  local name=$1 status=$2 text
  shift 2
  if [[ $got != "$status" ]]; then
    echo "FAILED: $name: exit status $got, not $status: $output"
    failures=$((failures + 1))
  fi
  for text in "$@"; do
    if ! grep -qF -- "$text" <<<"$output"; then
      echo "FAILED: $name: no '$text' in: $output"
      failures=$((failures + 1))
    fi
  done
}
run() {
  output=$("$program" "$@" 2>&1)
  got=$?
}

run
expect defaults 0 "first init" "second init" "first exit" "number=5 small=1 flag=0 text=none"
run number=-7 small=255 flag "text=two words"
expect parameters 0 "number=-7 small=255 flag=1 text=two words"
run module_fixture.number=0x10 flag=n
expect "with a module's name" 0 "number=16 small=1 flag=0"
run small=256
expect "out of range" 2 "bad value for parameter small"
run number=12x
expect "no number" 2 "bad value for parameter number"
run nosuch=1
expect unknown 2 "no module has such a parameter"
run fail=-19
expect "first fails" 1 "init failed: No such device"
run second_fail=-12
expect "second fails" 1 "init failed: Cannot allocate memory" "first exit"
run --list
expect list 0 "module module_fixture" "parameter small: byte"

# Stays until it is told to go.
coproc stay { exec "$program" --stay 2>&1; }
# shellcheck disable=SC2154  # set by coproc
pid=$stay_PID
exec {lines}<&"${stay[0]}" # bash closes its own as soon as the program has ended
while IFS= read -r line <&"$lines"; do
  if [[ $line == "second init" ]]; then break; fi
done
kill -TERM "$pid"
output=$(cat <&"$lines")
wait "$pid"
got=$?
expect "--stay" 0 "first exit"
echo "$failures failures"
exit $((failures != 0))

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# overhead_test.sh -- the inlines disappear: the machine code of a kernel call and of the
# C ABI call behind it is the same, instruction by instruction.
set -u
failures=0 pairs=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The instructions of one function, without addresses; relocations name the callee.
code() { # OBJECT FUNCTION
  objdump -dr --no-show-raw-insn "$1" |
    awk -v name="<$2>:" '$2 == name { on = 1; next } /^$/ { on = 0 } on' |
    sed -E 's/^[[:space:]]*[0-9a-f]+:[[:space:]]*//; s/<[^>]*>//; s/[[:space:]]+/ /g;
            /^(call|j[a-z]+|bl|b) /s/ [0-9a-f]+ *$//; s/ *# [0-9a-f]+ *$//; s/[[:space:]]+$//' |
    grep -vE '^(data16|cs |nop|xchg %ax,%ax)' # what pads to the next function
}
compare() { # COMPILER OBJECT: the number of differing pairs goes to `differing`
  local name one two
  differing=0
  for name in $(nm "$2" | sed -n 's/.* T linux_//p'); do
    one=$(code "$2" "linux_$name")
    two=$(code "$2" "direct_$name")
    if [[ -z $one ]]; then echo "FAILED: no code of linux_$name"; failures=$((failures + 1)); fi
    pairs=$((pairs + 1))
    if [[ $one != "$two" ]]; then
      differing=$((differing + 1))
      echo "$1: $name: $(wc -l <<<"$one") instructions, directly $(wc -l <<<"$two")"
      diff <(echo "$one") <(echo "$two")
    fi
  done
}
for compiler in gcc clang; do
  build=("$compiler" -std=gnu11 -O2 -fno-stack-protector -Wall -Wextra -I. -Iworkqueue/linux
    -fno-asynchronous-unwind-tables -c tests/linux_headers/overhead.c)
  "${build[@]}" -o "$folder/o" || exit 1
  compare "$compiler" "$folder/o"
  failures=$((failures + differing))
  "${build[@]}" -DWITH_OVERHEAD -o "$folder/o" || exit 1
  compare "$compiler" "$folder/o" >/dev/null
  if ((differing != 1)); then
    echo "FAILED: the control of $compiler: $differing pairs differ, not 1"
    failures=$((failures + 1))
  fi
done
((pairs >= 160)) || { echo "FAILED: only $pairs pairs"; failures=$((failures + 1)); }
echo "$pairs pairs, $failures failures"
exit $((failures != 0))

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# headers_test.sh -- each Linux header compiles alone, without a warning, in every
# language it is for; with the system's own headers before and behind it; and the
# layouts that cross into the C ABI hold.
set -u
failures=0 cases=0
compilers=(
  "gcc -std=gnu11 -xc" "gcc -std=gnu17 -xc" "gcc -std=c11 -xc" "clang -std=gnu11 -xc"
  "clang -std=gnu17 -xc" "g++ -std=c++20 -xc++" "clang++ -std=c++20 -xc++"
)
flags=(-Wall -Wextra -Werror -fsyntax-only -I. -Iworkqueue/linux)
try() { # NAME INCLUDE COMPILER FLAG...
  local name=$1 include=$2 compiler=$3 output
  shift 3
  cases=$((cases + 1))
  # shellcheck disable=SC2086  # a command and its words
  if ! output=$(printf '#include %s\n' "$include" | $compiler "${flags[@]}" "$@" - 2>&1); then
    echo "FAILED: $name with $compiler $*: $output"
    failures=$((failures + 1))
  fi
}

for header in workqueue/linux/linux/*.h; do
  name=linux/${header##*/}
  if ! grep -qF "#include <$name>" tests/linux_headers/all_headers.h; then
    echo "FAILED: all_headers.h does not include <$name>"
    failures=$((failures + 1))
  fi
  for compiler in "${compilers[@]}"; do try "<$name>" "<$name>" "$compiler"; done
done
for compiler in "gcc -std=gnu11 -xc" "clang -std=gnu17 -xc" "g++ -std=c++20 -xc++" "clang++ -std=c++20 -xc++"; do
  try "the system's headers first" '"tests/linux_headers/coexist.h"' "$compiler"
  try "the system's headers last" '"tests/linux_headers/coexist.h"' "$compiler" -DUWQ_FIRST
  try layouts '"tests/linux_headers/layout.h"' "$compiler"
done

# The control: a layout that does not hold is found.
if printf '#include "tests/linux_headers/layout.h"\nLAYOUT(sizeof(struct work_struct) == 33);\n' |
  gcc -std=gnu11 -xc "${flags[@]}" - 2>/dev/null; then
  echo "FAILED: a wrong layout compiles"
  failures=$((failures + 1))
fi
((cases > 200)) || { echo "FAILED: only $cases cases"; failures=$((failures + 1)); }
echo "$cases cases, $failures failures"
exit $((failures != 0))

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# compile_fail_test.sh -- each *_fails.cc is refused by the lock analysis of
# --config=proofs with the words of its expect-error line, and by nothing else:
# without these flags it compiles, as does the control, locked.cc, with them.
set -u

folder=tests/compile_fail
mapfile -t flags < <(grep '^build:proofs ' "$1" | grep -oE -- '--copt=[^ ]*thread-safety[^ ]*' | cut -d= -f2-)
if ((${#flags[@]} == 0)); then
  echo "no thread-safety flag in $1"
  exit 1
fi
failures=0 cases=0
fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}
compile() { clang++ -std=c++20 -fsyntax-only -I. "$@" 2>&1; }

output=$(compile "${flags[@]}" "$folder/locked.cc") || fail "locked.cc does not compile: $output"
for file in "$folder"/*_fails.cc; do
  cases=$((cases + 1))
  expected=$(sed -n 's|^// expect-error: ||p' "$file")
  if [[ -z $expected ]]; then fail "$file has no expect-error line"; fi
  output=$(compile "$file") || fail "$file does not compile even without the flags: $output"
  if output=$(compile "${flags[@]}" "$file"); then
    fail "$file compiles"
  elif ! grep -F "error: " <<<"$output" | grep -qF -- "$expected"; then
    fail "$file: expected '$expected', got: $output"
  fi
done
if ((cases == 0)); then fail "no case found"; fi
echo "$cases cases, $failures failures, flags ${flags[*]}"
exit $((failures != 0))

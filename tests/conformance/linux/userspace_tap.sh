#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# userspace_tap.sh -- records the conformance programs over uwq, for tools/kernel-test.
#
#   tests/conformance/linux/userspace_tap.sh FILE [PROGRAM...]
#
# Builds them (without names: all) and writes both of their output streams to FILE.
# Judging the results is the reader's business; exits 1 if they do not build.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../tools/lib.sh"
if (($# < 1)) || [[ $1 == -h || $1 == --help ]]; then
  print_help "${BASH_SOURCE[0]}"
  exit $(($# < 1))
fi
folder=tests/conformance/linux
output=$1 programs=("${@:2}")
if ((${#programs[@]} == 0)); then
  for source in "$UWQ_ROOT/$folder"/*.c; do programs+=("$(basename "$source" .c)"); done
fi
uwq_bazel build "${programs[@]/#///$folder:}" >&2
bin=$(uwq_bazel info bazel-bin 2>/dev/null)
: >"$output"
for program in "${programs[@]}"; do
  # One that ends with an error has printed "not ok", or lacks its end mark.
  "$bin/$folder/$program" >>"$output" 2>&1 || note "$program ended with exit code $?"
done

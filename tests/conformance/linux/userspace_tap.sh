#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# userspace_tap.sh -- records the conformance programs over uwq, for tools/kernel-test.
#
#   tests/conformance/linux/userspace_tap.sh FILE
#   tools/kernel-test --userspace-tap FILE
#
# Builds them and writes both of their output streams to FILE.  Exits 1 if one ends
# with an error; judging the results is the reader's business.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../tools/lib.sh"
if (($# != 1)) || [[ $1 == -h || $1 == --help ]]; then
  print_help "${BASH_SOURCE[0]}"
  exit $(($# != 1))
fi
folder=tests/conformance/linux
programs=()
for source in "$UWQ_ROOT/$folder"/*.c; do programs+=("$(basename "$source" .c)"); done
uwq_bazel build "${programs[@]/#///$folder:}" >&2
bin=$(uwq_bazel info bazel-bin 2>/dev/null)
status=0
: >"$1"
for program in "${programs[@]}"; do
  note "$program"
  "$bin/$folder/$program" >>"$1" 2>&1 || status=1
done
exit "$status"

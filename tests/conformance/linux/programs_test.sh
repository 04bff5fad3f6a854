#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# programs_test.sh -- every program of the folder is built and run by BUILD.
set -u
listed=$(printf '%s\n' "$@" | sort)
present=$(cd tests/conformance/linux && printf '%s\n' *.c | sed 's/\.c$//' | sort)
diff <(echo "$listed") <(echo "$present") || exit 1
echo "$# programs"

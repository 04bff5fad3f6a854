#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# ping_test.sh -- ping_device in one process, ping_user in another.
set -euo pipefail
here=kup_bridge/examples
name=sim:ping-test-$$
exec 3< <(exec "$here/ping_device" "$name")
device=$!
trap 'kill "$device" 2>/dev/null || true' EXIT
read -r ready <&3
[[ $ready == "$name is ready" ]]
answer=$("$here/ping_user" "$name")
printf '%s\n' "$answer"
[[ $answer == "reply of 6 bytes: hello"* ]]

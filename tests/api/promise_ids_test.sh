#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# promise_ids_test.sh -- each promise id of workqueue/workqueue.h is cited by a test, and
# no test cites one that is not there: promise_ids_test.sh HEADER TEST...
set -euo pipefail
header=$1
shift
ids() { grep -oh 'UWQ-[A-Z]*-[0-9]*' "$@" | sort -u; }
promised=$(ids "$header")
[[ $promised ]] || { echo "no ids in $header"; exit 1; }
not_tested=$(comm -23 <(echo "$promised") <(ids "$@"))
not_promised=$(comm -13 <(echo "$promised") <(ids "$@"))
if [[ $not_tested ]]; then echo "promised, but cited by no test:" $not_tested; fi
if [[ $not_promised ]]; then echo "cited, but not promised:" $not_promised; fi
[[ ! $not_tested && ! $not_promised ]]
echo "$(wc -l <<<"$promised") promises, all cited"

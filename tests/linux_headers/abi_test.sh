#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# abi_test.sh -- the layouts of the public C structures and the values of the public enums
# are those of layouts.abi: programs compiled before go on working.
#
#   tests/linux_headers/abi_test.sh           compares, by abidiff
#   tests/linux_headers/abi_test.sh --update  writes layouts.abi, for a change that is meant
#
# A change of layouts.abi is one of the soname (tools/package) unless it only adds.
set -u
baseline=tests/linux_headers/layouts.abi
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Describes a library whose one function takes every structure and enum that our headers
# below $1 define.
describe() { # ROOT DESCRIPTION
  local flags=(-std=gnu11 "-I$1" "-I$1/workqueue/linux" "-I$folder") header
  {
    for header in "$1"/workqueue/linux/linux/*.h; do echo "#include <linux/${header##*/}>"; done
  } >"$folder/all.h"
  gcc "${flags[@]}" -E "$folder/all.h" | awk -v root="$1/" '
    /^# [0-9]+ "/ { ours = index($3, "\"" root) == 1 }
    ours && /^(struct|enum|union) [a-z_0-9]+ \{/ { print $1, $2 }' | sort -u >"$folder/types"
  (($(wc -l <"$folder/types") >= 40)) || { echo "FAILED: only $(wc -l <"$folder/types") types"; return 1; }
  {
    echo '#include "all.h"'
    echo 'struct uwq_abi {'
    sed -E 's/^(\w+) (\w+)$/  \1 \2 *\2_;/' "$folder/types"
    echo '};'
    echo 'void uwq_abi(struct uwq_abi *types);'
    echo 'void uwq_abi(struct uwq_abi *types) { (void)types; }'
  } >"$folder/probe.c"
  (cd "$folder" && gcc "${flags[@]}" -g -fPIC -shared probe.c -o probe.so) &&
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --no-architecture \
      --no-parameter-names --type-id-style hash --out-file "$2" "$folder/probe.so"
}
here=$PWD
if [[ ${1:-} == --update ]]; then
  describe "$here" "$baseline"
  exit
fi

failures=0
if ! describe "$here" "$folder/now.abi" || ! abidiff "$baseline" "$folder/now.abi"; then
  echo "FAILED: the layouts are no longer those of $baseline; if that is meant: abi_test.sh --update"
  failures=$((failures + 1))
fi

# The control: one more member is found.
mkdir "$folder/copy"
cp -rL --parents workqueue delayed "$folder/copy"
chmod -R u+w "$folder/copy"
sed -i 's/^  bool ordered;$/  bool ordered;\n  int one_more;/' "$folder/copy/workqueue/linux/linux/workqueue.h"
describe "$folder/copy" "$folder/changed.abi" || failures=$((failures + 1))
if abidiff "$baseline" "$folder/changed.abi" >"$folder/found" || ! grep -q one_more "$folder/found"; then
  echo "FAILED: a changed layout is not found"
  failures=$((failures + 1))
fi
echo "$(wc -l <"$folder/types") types, $failures failures"
exit $((failures != 0))

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# install_test.sh -- installs into a temporary prefix, moves it, and compiles and runs
# consumers in C and C++ through pkg-config and through CMake, with both compilers.
set -u
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 checks=0
check() { # NAME COMMAND...
  local name=$1 output
  shift
  checks=$((checks + 1))
  if ! output=$("$@" 2>&1); then
    echo "FAILED: $name: $*"
    printf '%s\n' "$output" | tail -n 30
    failures=$((failures + 1))
    return 1
  fi
}

# In Bazel's runfiles sources and results stand in one tree.
check "install" "$root/tools/package/stage.sh" --source "$root" --bin "$root" --prefix "$work/first" || exit 1
mv "$work/first" "$work/prefix" # a package file with an absolute path would break now
prefix=$work/prefix
lib=$prefix/lib
export LD_LIBRARY_PATH=$lib PKG_CONFIG_PATH=$lib/pkgconfig

# --- What is exported: ours, and no name of the kernel.
names=$(nm -D --defined-only "$lib/libuwq.so" | awk '{print $3}' | sed 's/@.*//')
foreign=$(grep -vE '^(uwq_|kup_|kernproxy_|kupdev_|UWQ_[0-9]+$|_ZN(K?)St|_Z(N|NK|TV|TI|TS|TT|GV|TW|TH)[A-Z]*[0-9]*3?uwq|_Z[A-Z]*N?K?3uwq)' <<<"$names")
check "exported names: $(head -n 5 <<<"$foreign" | tr '\n' ' ')" test -z "$foreign"
# Every name that the headers have, and what else starts like one of theirs.
# shellcheck disable=SC2016  # backquotes of Markdown
grep -oE '`[A-Za-z_0-9]+`' "$root/docs/linux_calls.md" | tr -d '`' | sort -u >"$work/kernel_names"
check "kernel names are known" test "$(wc -l <"$work/kernel_names")" -gt 1000
kernel=$(sort -u <<<"$names" | comm -12 - "$work/kernel_names")
check "kernel names: $kernel" test -z "$kernel"
check "the call is there" grep -qx uwq_queue_work <<<"$names"
check "soname" grep -q 'SONAME.*\[libuwq.so.0\]' <(readelf -d "$lib/libuwq.so")
check "versioned symbols" grep -q 'uwq_queue_work@@UWQ_0' <(nm -D "$lib/libuwq.so")
archive_other=$(nm --defined-only "$lib/libuwq.a" 2>/dev/null | awk '$2 ~ /[TDBRV]/ {print $3}' |
  grep -vE '^(uwq_|kup_|kernproxy_|kupdev_|_Z|DW\.ref\.)' | sort -u)
check "only our names in libuwq.a: $archive_other" test -z "$archive_other"
# What the installed headers declare, the library has: nothing fails at link time only.
{
  for header in workqueue/c/uwq.h delayed/uwq_delayed.h workqueue/linux/uwq_linux.h kup_bridge/kup.h kup_bridge/kupdev.h; do
    echo "#include \"$header\""
  done
  (cd "$prefix/include/uwq/workqueue/linux" && printf '#include <%s>\n' linux/*.h)
} >"$work/all.h"
check "headers" gcc -std=gnu11 -fsyntax-only -aux-info "$work/declared" -I"$prefix/include/uwq" \
  -I"$prefix/include/uwq/workqueue/linux" -xc "$work/all.h"
grep -oE 'extern .*\b(uwq|kup|kupdev|kernproxy)_\w+ \(' "$work/declared" | grep -oE '\w+ \($' | tr -d ' (' |
  sort -u >"$work/functions"
check "functions are declared" test "$(wc -l <"$work/functions")" -gt 150
absent=$(sort -u <<<"$names" | comm -13 - "$work/functions")
check "declared and not exported: $absent" test -z "$absent"
inner=$(grep -E '^(kup|kupdev|kernproxy)_' <<<"$names" | sort -u | comm -23 - "$work/functions")
check "exported and not declared: $inner" test -z "$inner"
check "nothing of the simulator" test ! -e "$prefix/include/uwq/workqueue/base/sync_sim.h"
check "header" test -f "$prefix/include/uwq/workqueue/linux/linux/workqueue.h"

# --- pkg-config
run() { # NAME PROGRAM EXPECTED
  local output
  output=$("$2" 2>&1)
  local status=$?
  checks=$((checks + 1))
  if ((status != 0)) || ! grep -qF -- "$3" <<<"$output"; then
    echo "FAILED: $1: status $status, '$output' instead of '$3'"
    failures=$((failures + 1))
  fi
}
words() { read -ra flags <<<"$(pkg-config "$@")"; }
source=$root/tests/install
warnings=(-Wall -Wextra -Werror)
for cc in gcc clang; do
  for standard in gnu11 gnu17 c11; do
    words --cflags --libs uwq-linux
    if check "$cc $standard" "$cc" "-std=$standard" "${warnings[@]}" "$source/consumer.c" -o "$work/c" "${flags[@]}"; then
      run "$cc $standard" "$work/c" "ran 3 times"
    fi
  done
  words --variable=module_main uwq-linux
  main=("${flags[@]}")
  words --cflags --libs uwq-linux
  if check "$cc module" "$cc" -std=gnu11 "${warnings[@]}" "$source/consumer_module.c" -o "$work/m" "${main[@]}" "${flags[@]}"; then
    run "$cc module" "$work/m" "answer 41"
  fi
  words --cflags uwq-linux
  static=("${flags[@]}")
  words --static --libs-only-l uwq-linux
  flags=("${flags[@]:1}") # without -luwq, which would mean the shared one
  if check "$cc static" "$cc" -std=gnu11 "${warnings[@]}" "${static[@]}" "$source/consumer.c" -o "$work/s" \
    "$lib/libuwq.a" "${flags[@]}"; then
    run "$cc static" "$work/s" "ran 3 times"
    check "$cc static needs no libuwq.so" test -z "$(readelf -d "$work/s" | grep libuwq)"
  fi
done
for cxx in g++ clang++; do
  words --cflags --libs uwq
  if check "$cxx C++ API" "$cxx" -std=c++20 -Wall -Wextra -Werror -Wno-unused-parameter "$source/consumer.cc" -o "$work/x" "${flags[@]}"; then
    run "$cxx C++ API" "$work/x" "ran 11"
  fi
  words --cflags --libs uwq-linux
  if check "$cxx <linux/...>" "$cxx" -std=c++20 "${warnings[@]}" "$source/consumer_linux.cc" -o "$work/l" "${flags[@]}"; then
    run "$cxx <linux/...>" "$work/l" "ran 2 times"
  fi
done

# --- uwq-cc: nothing to configure, and nothing needed in the environment
uwq_cc() { env -u LD_LIBRARY_PATH -u PKG_CONFIG_PATH "$@"; }
for cc in gcc clang; do
  if check "uwq-cc $cc" uwq_cc CC=$cc "$prefix/bin/uwq-cc" -std=gnu11 "${warnings[@]}" "$source/consumer.c" -o "$work/u"; then
    run "uwq-cc $cc" "$work/u" "ran 3 times"
  fi
  check "uwq-cc $cc -c" uwq_cc CC=$cc "$prefix/bin/uwq-cc" -std=gnu11 -c "$source/consumer_module.c" -o "$work/u.o" &&
    check "uwq-cc $cc links" uwq_cc CC=$cc "$prefix/bin/uwq-cc" "$work/u.o" -o "$work/u" &&
    run "uwq-cc $cc module" "$work/u" "answer 41"
done
if check "uwq-cc c++" uwq_cc CC=g++ "$prefix/bin/uwq-cc" -std=c++20 "$source/consumer_linux.cc" -o "$work/u"; then
  run "uwq-cc c++" "$work/u" "ran 2 times"
fi
check "rpath of uwq-cc" grep -q "$lib" <(readelf -d "$work/u")

# --- Manual pages
for page in uwq.7 uwq-linux.7 uwq-cc.1; do
  file=$prefix/share/man/man${page##*.}/$page
  check "$page is there" test -s "$file"
  check "$page has no mistakes: $(groff -man -Tutf8 -ww -z "$file" 2>&1)" test -z "$(groff -man -Tutf8 -ww -z "$file" 2>&1)"
done

# --- CMake
for pair in gcc:g++ clang:clang++; do
  build=$work/build-${pair%%:*}
  if check "cmake ${pair%%:*}" cmake -S "$source" -B "$build" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="${pair%%:*}" -DCMAKE_CXX_COMPILER="${pair##*:}" &&
    check "cmake build ${pair%%:*}" cmake --build "$build"; then
    run "cmake ${pair%%:*} C" "$build/consumer_c" "ran 3 times"
    run "cmake ${pair%%:*} C++" "$build/consumer_cxx" "ran 11"
    run "cmake ${pair%%:*} <linux/...>" "$build/consumer_linux_cxx" "ran 2 times"
    run "cmake ${pair%%:*} module" "$build/consumer_module" "answer 41"
  fi
done

# --- Bad input
refuse() { ! "$root/tools/package/stage.sh" "$@"; }
check "no prefix" refuse --source "$root" --bin "$root"
check "no such source" refuse --source "$work" --bin "$root" --prefix "$work/none"
check "unknown argument" refuse --nosuch
echo "$checks checks, $failures failures"
exit $((failures != 0))

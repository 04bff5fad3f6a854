# SPDX-License-Identifier: BSD-3-Clause
# suite_bench.sh: our hot paths and the kernel's own, in instructions. Sourced by tools/kernel-test.
#
# One boot with one CPU whose clock counts instructions (QEMU's -icount), so that a figure is the same on a busy
# machine: everything that an operation costs, ours with the system calls in it. A path fails if one side gave no
# figure or ours takes more than BENCH_RATIO_MAX times the kernel's. Read on: bench/micro/hot_paths.cc.
# shellcheck shell=bash

BENCH_RATIO_MAX=3

suite_bench() {
  [[ $# -eq 0 ]] || die "the bench suite takes no program names"
  kt_prepare
  local build=$KT_DIR/bench/build guest=$KT_DIR/bench/guest log=$KT_DIR/bench/console.log started=$SECONDS library
  # From nothing: other checkouts share this folder.
  rm -rf "$build" "$guest"
  mkdir -p "$build" "$guest/modules"
  # Bazel's server must not inherit the lock of the cache.
  uwq_bazel build --compilation_mode=opt //bench/micro:hot_paths >&2 9>&- || kt_fail "hot_paths does not build"
  local program
  program=$(uwq_bazel info --compilation_mode=opt bazel-bin 2> /dev/null 9>&-)/bench/micro/hot_paths
  cp "$KT_ROOT/bench/kernel_wq/kernel/wq_count.c" "$build/"
  echo 'obj-m += wq_count.o' > "$build/Kbuild"
  kt_build_modules "$build"
  strip --strip-debug -o "$guest/modules/wq_count.ko" "$build/wq_count.ko"
  strip -o "$guest/hot_paths" "$program"
  ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
    mkdir -p "$guest$(dirname "$library")" && cp -L "$library" "$guest$library"
  done
  cp "$KT_ROOT/tools/kernel/suite_bench.init" "$guest/init"
  kt_pack "$guest" "$KT_DIR/bench/initrd.cpio.gz"
  kt_note "built in $((SECONDS - started)) s"

  started=$SECONDS
  # Preemption as Debian's kernel has it by default.
  KT_CPUS=1 KT_ACCEL='tcg,thread=single -icount shift=0,sleep=off' KT_APPEND='preempt=voluntary' \
    kt_boot "$KT_DIR/bench/initrd.cpio.gz" "$((KT_SECONDS - SECONDS))" "$log"
  kt_note "boot of $KT_RELEASE took $((SECONDS - started)) s"
  echo "instructions per operation, Linux $KT_RELEASE, one CPU (QEMU -icount)"
  tr -d '\r' < "$log" | awk -v max="$BENCH_RATIO_MAX" '
    match($0, /count (kernel|uwq) [a-z0-9_]+ [0-9]+/) {
      split(substr($0, RSTART, RLENGTH), word, " ")
      if (!(word[3] in seen)) { seen[word[3]] = 1; order[++paths] = word[3] }
      value[word[2], word[3]] = word[4]
    }
    END {
      printf "%-24s %10s %10s %8s\n", "path", "kernel", "uwq", "ratio"
      for (i = 1; i <= paths; i++) {
        path = order[i]; kernel = value["kernel", path]; ours = value["uwq", path]
        if (path == "run_sync" || path == "queue_run_door") {  # of ours only
          printf "%-24s %10s %10d %8s\n", path, "-", ours, "-"; passed++; continue }
        good = kernel > 0 && ours > 0 && ours <= max * kernel
        if (good) passed++; else failed++
        printf "%-24s %10s %10s %8s%s\n", path, kernel, ours, kernel ? sprintf("%.2f", ours / kernel) : "-",
          good ? "" : "  FAILED"
      }
      if (passed < 10) failed++  # a guest that died counts nothing
      printf "%d passed, %d failed\n", passed, failed
      exit failed > 0
    }'
}

# SPDX-License-Identifier: BSD-3-Clause
# debug_kernel.sh: a small kernel with KASAN, lockdep, kmemleak and UBSAN for suites that run with --debug.
# Sourced by them after kt_prepare.
#
# Built once from Debian's linux-source-6.1 below $KT_CACHE/debug-6.1 (139 MB to download, some 5 minutes of two CPUs,
# 3 GB of disk of which 2 are freed again). Invariant: the folder holds `built` only when the kernel is whole.
# shellcheck shell=bash

# What a guest of ours needs, on top of tinyconfig, then the checkers.
kt_debug_options() {
  cat << 'OPTIONS'
64BIT SMP PRINTK TTY SERIAL_8250 SERIAL_8250_CONSOLE BLK_DEV_INITRD RD_GZIP BINFMT_ELF BINFMT_SCRIPT
MODULES MODULE_UNLOAD PROC_FS SYSFS DEVTMPFS TMPFS SHMEM FUTEX EPOLL EVENTFD TIMERFD SIGNALFD POSIX_TIMERS
HIGH_RES_TIMERS MULTIUSER NET UNIX ACPI PCI HYPERVISOR_GUEST PARAVIRT PREEMPT ADVISE_SYSCALLS MEMFD_CREATE
SLUB CRYPTO CRYPTO_SHA1 PROC_MEM_ALWAYS_FORCE PROC_SYSCTL KALLSYMS BUG IKCONFIG DEBUG_FS MEMBARRIER RSEQ INOTIFY_USER
DEBUG_KERNEL KASAN KASAN_GENERIC KASAN_VMALLOC PROVE_LOCKING DEBUG_ATOMIC_SLEEP DEBUG_LIST DEBUG_SPINLOCK
DEBUG_OBJECTS DEBUG_OBJECTS_FREE DEBUG_OBJECTS_TIMERS DEBUG_OBJECTS_WORK DEBUG_VM DEBUG_KMEMLEAK UBSAN
UBSAN_BOUNDS UBSAN_SHIFT WQ_WATCHDOG STACKTRACE
OPTIONS
}

kt_debug_build() {
  local dir=$1 tree option tool
  "$KT_ROOT/tools/setup" --debug-kernel >&2 || true # what is missing then is told below
  for tool in flex bison bc xz; do
    command -v "$tool" > /dev/null || kt_skip "a debug kernel needs $tool (packages flex bison bc xz-utils)"
  done
  rm -rf "$dir"
  mkdir -p "$dir"
  kt_note "downloading and building a kernel with checkers"
  (cd "$dir" && timeout 300 apt-get download -qq linux-source-6.1 && dpkg-deb -x linux-source-6.1_*.deb deb &&
    tar xf deb/usr/src/linux-source-6.1.tar.xz && rm -rf deb linux-source-6.1_*.deb) > "$dir/download.log" 2>&1 ||
    return 1
  tree=$dir/linux-source-6.1
  make -s -C "$tree" CC=gcc-12 HOSTCC=gcc-12 tinyconfig > "$dir/config.log" 2>&1 || return 1
  for option in $(kt_debug_options); do echo "CONFIG_$option=y"; done >> "$tree/.config"
  # kmemleak's early log must hold what is allocated before it starts.
  echo 'CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE=16000' >> "$tree/.config"
  # What every 64-bit kernel takes; tinyconfig starts from 32 bits, and KASAN wants stack.
  echo 'CONFIG_FRAME_WARN=2048' >> "$tree/.config"
  make -s -C "$tree" CC=gcc-12 HOSTCC=gcc-12 olddefconfig >> "$dir/config.log" 2>&1 || return 1
  for option in $(kt_debug_options); do
    grep -q "^CONFIG_$option=y" "$tree/.config" || kt_fail "the debug kernel came out without $option"
  done
  make -s -C "$tree" CC=gcc-12 HOSTCC=gcc-12 -j"$(nproc)" bzImage modules_prepare > "$dir/build.log" 2>&1 || return 1
  cp "$tree/vmlinux.symvers" "$tree/Module.symvers"
  cp "$tree/arch/x86/boot/bzImage" "$dir/bzImage"
  find "$tree" -name '*.o' -not -path '*/scripts/*' -not -path '*/tools/*' -delete
  touch "$dir/built"
}

# Sets KT_RELEASE, KT_DIR, KT_HEADERS, KT_IMAGE and what a slow guest needs.
kt_debug_kernel() {
  KT_DIR=$KT_CACHE/debug-6.1
  if [[ ! -e $KT_DIR/built ]] && ! kt_debug_build "$KT_DIR"; then
    tail -n 5 "$KT_DIR"/*.log >&2
    kt_fail "no debug kernel"
  fi
  # shellcheck disable=SC2034 # of lib.sh and the suites
  KT_RELEASE=debug-6.1 KT_HEADERS=$KT_DIR/linux-source-6.1 KT_IMAGE=$KT_DIR/bzImage KT_STALL=150
}

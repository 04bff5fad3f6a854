# SPDX-License-Identifier: BSD-3-Clause
# lib.sh: a real Linux kernel for tests, without touching the host. Sourced by tools/kernel-test and by suites.
#
# Debian's kernel packages are downloaded and unpacked (never installed) below $KT_CACHE, modules are built against
# the unpacked headers, and QEMU boots the image by software emulation with an initramfs made here.
# Invariant: nothing outside $KT_CACHE is written. Read on: tools/kernel/suite_conformance.sh.
# shellcheck shell=bash

KT_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/uwq/kernel
KT_CPUS=${KT_CPUS:-2}

# Ends the run politely: what is missing here is not a fault of the code under test.
kt_skip() {
  echo "SKIP kernel-test: $*"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

kt_note() { echo "kernel-test: $*" >&2; }

kt_fail() {
  kt_note "$*"
  echo "0 passed, 1 failed"
  exit 1
}

# Checks the tools that a run needs; tries tools/setup once. gcc-12 is the compiler of Debian's kernel.
kt_need_tools() {
  local tool missing=()
  for tool in qemu-system-x86_64 busybox cpio make x86_64-linux-gnu-gcc-12 dpkg-deb python3 flock gzip strip; do
    command -v "$tool" > /dev/null || missing+=("$tool")
  done
  [[ ${#missing[@]} -eq 0 ]] && return 0
  if [[ -z ${KT_TRIED_SETUP:-} && -x $KT_ROOT/tools/setup ]]; then
    KT_TRIED_SETUP=1
    "$KT_ROOT/tools/setup" --kernel >&2 || true
    hash -r
    kt_need_tools
    return 0
  fi
  kt_skip "missing ${missing[*]} (packages qemu-system-x86 busybox-static cpio make gcc-12 binutils python3)"
}

# Prints the newest kernel release that the package index offers: 6.12 before 6.1.
kt_newest_offered() {
  local series
  command -v apt-cache > /dev/null || return 0
  for series in '6\.12\.[0-9]+\+?[a-z0-9]*' '6\.1\.0-[0-9]+'; do
    apt-cache search --names-only "^linux-image-$series-cloud-amd64\$" 2> /dev/null |
      sed -n 's/^linux-image-\([^ ]*\) .*/\1/p' | sort -V | tail -n 1 | grep . && return 0
  done
  return 0
}

# Prints the newest kernel release that is already unpacked.
kt_newest_unpacked() {
  local stamp
  for stamp in "$KT_CACHE"/*-cloud-amd64/unpacked; do
    if [[ -e $stamp ]]; then basename "$(dirname "$stamp")"; fi
  done | sort -V | tail -n 1
}

# Downloads and unpacks release $1 below $KT_CACHE/$1; returns 1 when that cannot be had.
kt_unpack() {
  [[ -e $KT_CACHE/$1/unpacked ]] && return 0
  kt_unpack_fresh "$1" && return 0
  rm -rf "${KT_CACHE:?}/$1"
  return 1
}

kt_unpack_fresh() {
  local release=$1 dir=$KT_CACHE/$1 packages deb
  packages=$(apt-cache depends "linux-headers-$release" 2> /dev/null |
    grep -oE 'linux-(kbuild-[^ ]+|headers-[^ ]+-common)' | sort -u) || return 1
  kt_note "downloading $release"
  rm -rf "$dir"
  mkdir -p "$dir/debs" "$dir/root"
  # shellcheck disable=SC2086
  (cd "$dir/debs" && timeout 300 apt-get download -qq "linux-image-$release" \
    "linux-headers-$release" $packages) > "$dir/download.log" 2>&1 || return 1
  for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root" || return 1; done
  rm -rf "$dir/debs"
  # The packages name their own place with absolute paths; nothing is installed, so they point into the cache instead.
  sed -i "s#^include /usr/src/#include $dir/root/usr/src/#" \
    "$dir/root/usr/src/linux-headers-$release/Makefile" || return 1
  [[ -e $dir/root/boot/vmlinuz-$release ]] || return 1
  touch "$dir/unpacked"
}

# Chooses and prepares a kernel; sets KT_RELEASE, KT_DIR, KT_HEADERS and KT_IMAGE.
kt_prepare() {
  [[ $(uname -m) == x86_64 ]] || kt_skip "needs an x86-64 host, this is $(uname -m)"
  kt_need_tools
  mkdir -p "$KT_CACHE"
  exec 9> "$KT_CACHE/lock"
  flock 9
  if [[ -n $KT_RELEASE ]]; then # asked for by name: no other will do
    kt_unpack "$KT_RELEASE" || kt_skip "$KT_RELEASE is not to be had from the package index"
  fi
  KT_RELEASE=${KT_RELEASE:-$(kt_newest_offered)}
  if [[ -z $KT_RELEASE && $EUID -eq 0 && -z $(kt_newest_unpacked) ]]; then
    timeout 120 apt-get update -qq > /dev/null 2>&1 || true # a fresh container has no index
    KT_RELEASE=$(kt_newest_offered)
  fi
  if [[ -z $KT_RELEASE ]] || ! kt_unpack "$KT_RELEASE"; then
    local wanted=${KT_RELEASE:-linux-image-6.12*-cloud-amd64}
    KT_RELEASE=$(kt_newest_unpacked)
    [[ -n $KT_RELEASE ]] || kt_skip "$wanted is not to be had from the package index"
    kt_note "$wanted is not to be had, using the unpacked $KT_RELEASE"
  fi
  KT_DIR=$KT_CACHE/$KT_RELEASE
  KT_HEADERS=$KT_DIR/root/usr/src/linux-headers-$KT_RELEASE
  KT_IMAGE=$KT_DIR/root/boot/vmlinuz-$KT_RELEASE
}

# Builds the module directory $1 (it has a Kbuild file). Debug information and BTF only cost time here.
kt_build_modules() {
  local log=$1/build.log
  if ! make -C "$KT_HEADERS" M="$1" -j"$(nproc)" CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES= \
    KCFLAGS="${KT_KCFLAGS:-}" modules > "$log" 2>&1; then
    grep -E 'error|Error|undefined' "$log" >&2 || tail -n 20 "$log" >&2
    kt_fail "the modules do not build against $KT_RELEASE"
  fi
  grep -E 'warning:' "$log" >&2 || true
}

# Packs the directory $1 (it has an executable init) and busybox into the initramfs $2.
kt_pack() {
  mkdir -p "$1"/bin "$1"/dev "$1"/proc "$1"/sys
  cp "$(command -v busybox)" "$1/bin/busybox"
  (cd "$1" && find . | cpio -o -H newc --quiet | gzip -1) > "$2"
}

# Boots initramfs $1 for at most $2 seconds, console to file $3. The console is the only verdict: a guest panic
# leaves through the same door as a power-off. A console that has been silent for KT_STALL seconds is a hang.
# KVM is never used: where it is only half there, the guest hangs.
# preempt=full: with Debian's default, a work function that keeps its CPU busy cannot be preempted at all, and nothing
# that the kernel promises about CPU hogs and high-priority queues could be seen.
kt_boot() {
  local guest size=-1 now quiet=0 accel
  read -ra accel <<< "${KT_ACCEL:-tcg,thread=multi}"
  : > "$3"
  timeout -k 5 "$2" qemu-system-x86_64 -M q35 -accel "${accel[@]}" -cpu max -smp "$KT_CPUS" -m 768 \
    -nodefaults -no-reboot -display none -serial stdio -kernel "$KT_IMAGE" -initrd "$1" \
    -append "console=ttyS0 quiet panic=-1 tsc=reliable printk.devkmsg=on preempt=full ${KT_APPEND:-}" \
    < /dev/null > "$3" 2>&1 9>&- &
  guest=$!
  # An interrupted run leaves no guest behind.
  # shellcheck disable=SC2064
  trap "kill $guest 2> /dev/null" EXIT
  while kill -0 "$guest" 2> /dev/null; do
    sleep 0.5
    now=$(stat -c %s "$3")
    if [[ $now -ne $size ]]; then
      size=$now quiet=0
    elif ((++quiet > 2 * ${KT_STALL:-50})); then
      kt_note "the console has been silent for ${KT_STALL:-50} s, the guest is given up"
      kill "$guest" 2> /dev/null
    fi
  done
  wait "$guest" || true
  trap - EXIT
}

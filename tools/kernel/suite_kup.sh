# SPDX-License-Identifier: BSD-3-Clause
# suite_kup.sh: the module kup and a user program with kup.h on a real kernel. Sourced by tools/kernel-test.
#
# One boot: kup_bridge/kernel/test/guest_*.cc against kup_bridge/kernel/test/kup_test.c, and the HDMI driver of
# drivers/hdmi_example against its device model in the kernel. With --debug the same on a kernel with KASAN, lockdep,
# kmemleak and UBSAN, which is built here once (some minutes). Read on: kup_bridge/kernel/README.md.
# shellcheck shell=bash

# Copies program $1 into the guest $2, with the libraries that it loads.
kup_add_program() {
  cp "$1" "$2/$(basename "$1")"
  ldd "$1" | grep -oE '/[^ ]+' | while read -r library; do
    [[ -e $2$library ]] || (mkdir -p "$2$(dirname "$library")" && cp -L "$library" "$2$library")
  done
}

suite_kup() {
  [[ $# -eq 0 ]] || die "the kup suite takes no program names"
  kt_prepare
  if [[ -n ${KT_DEBUG:-} ]]; then
    # shellcheck source=tools/kernel/debug_kernel.sh
    source "$KT_ROOT/tools/kernel/debug_kernel.sh"
    kt_debug_kernel
  fi
  local limit=$KT_SECONDS # for the guest alone: the build may be a first one
  if [[ -n ${KT_DEBUG:-} ]]; then limit=900; fi
  local build=$KT_DIR/kup/build guest=$KT_DIR/kup/guest log=$KT_DIR/kup/console.log started=$SECONDS
  # From nothing: other checkouts share this folder, and a file's time says little about whose it is.
  rm -rf "$build" "$guest"
  mkdir -p "$build" "$guest/modules"

  # Bazel's server must not inherit the lock of the cache.
  uwq_bazel build //kup_bridge/kernel/test:kup_guest //drivers/hdmi_example:hdmi_demo >&2 9>&- ||
    kt_fail "the guest's programs do not build"
  if ! make -s -C "$KT_ROOT/kup_bridge/kernel" KDIR="$KT_HEADERS" OUT="$build" KUP_TESTS=1 \
    -j"$(nproc)" ${KT_DEBUG:+CC=gcc-12} CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES= > "$build/build.log" 2>&1; then
    grep -E 'error|Error|undefined' "$build/build.log" >&2 || tail -n 20 "$build/build.log" >&2
    kt_fail "the modules do not build against $KT_RELEASE"
  fi
  if grep -E 'warning:' "$build/build.log" >&2; then kt_fail "the modules build with warnings"; fi
  kt_note "programs and modules built in $((SECONDS - started)) s"

  cp "$KT_ROOT/tools/kernel/suite_kup.init" "$guest/init"
  kup_add_program "$KT_ROOT/bazel-bin/kup_bridge/kernel/test/kup_guest" "$guest"
  kup_add_program "$KT_ROOT/bazel-bin/drivers/hdmi_example/hdmi_demo" "$guest"
  strip "$guest/kup_guest" "$guest/hdmi_demo"
  local module
  for module in kup kup_test kup_hdmi; do
    strip --strip-debug -o "$guest/modules/$module.ko" "$build/$module.ko"
  done
  kt_pack "$guest" "$KT_DIR/kup/initrd.cpio.gz"
  started=$SECONDS
  kt_boot "$KT_DIR/kup/initrd.cpio.gz" "$limit" "$log"
  kt_note "boot of $KT_RELEASE took $((SECONDS - started)) s"

  # What was measured, which the table below leaves out.
  tr -d '\r' < "$log" | sed -n 's/^\(\[[^]]*\]\)* *ok \([^ ]* ..*\)$/\2/p'
  grep -a 'hdmi_demo says' "$log" >&2 || true
  python3 "$KT_ROOT/tools/kernel/tap.py" --console "$log" --kernel "$KT_RELEASE" \
    ${KT_TAP_OUT:+--tap-out "$KT_TAP_OUT"} kup
}

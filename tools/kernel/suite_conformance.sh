# SPDX-License-Identifier: BSD-3-Clause
# suite_conformance.sh: tests/conformance/linux/*.c as modules of a real kernel and over uwq, and what differs.
# Sourced by tools/kernel-test.
#
# One boot runs all programs. A program that hangs costs the rest of its boot; the programs behind it get another
# one, so a hang is one program's result and not everybody's. Read on: tools/kernel/tap.py (the verdict).
# shellcheck shell=bash

# Arguments: names of programs; none means all.
suite_conformance() {
  local source=$KT_ROOT/tests/conformance/linux programs=("$@") program
  if [[ ${#programs[@]} -eq 0 ]]; then
    for program in "$source"/*.c; do programs+=("$(basename "$program" .c)"); done
  fi
  for program in "${programs[@]}"; do
    [[ -e $source/$program.c ]] || die "no suite and no conformance program is named '$program'"
  done
  kt_prepare

  # disable_work() and the BH queues came with 6.10.
  if [[ $(printf '%s\n' 6.10 "$KT_RELEASE" | sort -V | head -n 1) != 6.10 ]]; then
    kt_skip "the conformance programs need Linux 6.10 or later, the package index offers only $KT_RELEASE"
  fi

  # The other world first: what does not build there costs no boot. The two never run at the same time, since some
  # scenarios look at who gets the CPU.
  local user=$KT_USERSPACE_TAP started=$SECONDS
  if [[ -z $user && -z $KT_KERNEL_ONLY ]]; then
    user=$KT_DIR/conformance/userspace.tap
    mkdir -p "$KT_DIR/conformance"
    "$KT_ROOT/tools/setup" --test >&2 || kt_fail "the userspace side has no compiler"
    "$source/userspace_tap.sh" "$user" "${programs[@]}" >&2 9>&- || kt_fail "the programs do not build over uwq"
    kt_note "the programs over uwq built and ran in $((SECONDS - started)) s"
  fi

  local build=$KT_DIR/conformance/build guest=$KT_DIR/conformance/guest log=$KT_DIR/conformance/console.log
  mkdir -p "$build" "$KT_DIR/conformance"
  # An unchanged program is not copied and so not built again. By content: another checkout may hold older times.
  local file
  for file in "$source"/*.c "$source"/*.h; do
    cmp -s "$file" "$build/${file##*/}" || cp "$file" "$build/"
  done
  for program in "${programs[@]}"; do echo "obj-m += $program.o"; done > "$build/Kbuild.new"
  cmp -s "$build/Kbuild.new" "$build/Kbuild" || cp "$build/Kbuild.new" "$build/Kbuild"
  local begun_at=$SECONDS # the budget is the kernel's, whatever the other world took
  started=$SECONDS
  kt_build_modules "$build"
  kt_note "modules built in $((SECONDS - started)) s"

  rm -rf "$guest"
  mkdir -p "$guest/modules"
  cp "$KT_ROOT/tools/kernel/init" "$guest/init"
  for program in "${programs[@]}"; do
    strip --strip-debug -o "$guest/modules/$program.ko" "$build/$program.ko"
  done

  local left=("${programs[@]}") boot=0
  : > "$log"
  while [[ ${#left[@]} -gt 0 ]]; do
    boot=$((boot + 1))
    local budget=$((KT_SECONDS - (SECONDS - begun_at)))
    [[ $budget -gt 10 ]] || break
    printf '%s\n' "${left[@]}" > "$guest/suites"
    kt_pack "$guest" "$KT_DIR/conformance/initrd.cpio.gz"
    started=$SECONDS
    local one=$KT_DIR/conformance/boot$boot.log
    kt_boot "$KT_DIR/conformance/initrd.cpio.gz" "$budget" "$one"
    cat "$one" >> "$log"
    kt_note "boot $boot of $KT_RELEASE took $((SECONDS - started)) s"
    # What ended, ended; what was begun last and did not end is given up; the rest gets another boot.
    local begun
    begun=$(tr -d '\r' < "$one" | sed -n 's/.*=== begin \([a-z0-9_]*\)$/\1/p' | wc -l)
    [[ $begun -gt 0 ]] || break
    left=("${left[@]:$begun}")
  done

  python3 "$KT_ROOT/tools/kernel/tap.py" --console "$log" --kernel "$KT_RELEASE" \
    --differences "$KT_ROOT/docs/kernel_differences.md" \
    ${user:+--userspace-tap "$user"} ${KT_TAP_OUT:+--tap-out "$KT_TAP_OUT"} \
    "${programs[@]}"
}

# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# lib.sh -- what the commands in tools/ share: messages, Bazel, compile flags, counting.
#
# Sourced, never run.  Invariant: the sourcing script may be started from any
# folder, with or without HOME, and works on the tree that it stands in.
# Read on: docs/testing.md.

UWQ_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
UWQ_PROGRAM=${0##*/}

note() { printf '%s: %s\n' "$UWQ_PROGRAM" "$*" >&2; }
die() {
  note "$*"
  exit 2
}

# The text of --help is the head comment of the script itself, so the two agree.
print_help() { sed -n '/^#!/d; /^# SPDX/d; /^#/!q; s/^# \{0,1\}//p' "$1" | sed '1{/^$/d}'; }

# Parallel jobs, of Bazel and of the checks.
UWQ_JOBS=${UWQ_JOBS:-$(nproc)}

# Runs Bazel in this tree: uwq_bazel COMMAND [ARGUMENT...].
# Bazel insists on a user name and on a writable place for its outputs, which a
# container or a CI job may lack.  UWQ_OUTPUT_BASE moves the outputs elsewhere.
uwq_bazel() {
  local startup=() options=() command=$1
  shift
  export USER=${USER:-$(id -un 2>/dev/null || id -u)}
  if [[ -n ${UWQ_OUTPUT_BASE:-} ]]; then
    startup+=("--output_base=$UWQ_OUTPUT_BASE")
  elif [[ ! -d ${HOME:-} || ! -w ${HOME:-} ]]; then
    startup+=("--output_user_root=${TMPDIR:-/tmp}/uwq-bazel-$(id -u)")
  fi
  case $command in
    build | test | run)
      options+=("--jobs=$UWQ_JOBS" --color=no --curses=no)
      # The configurations share one output folder: without a cache, each change
      # from g++ to clang or to a sanitizer would build everything again.
      if [[ -z ${CI:-} ]]; then options+=("--disk_cache=$(uwq_cache_folder)"); fi
      # Programs that are not optimised are position-independent at any rate; without
      # this each file would be compiled a second time for archives that nobody links.
      if [[ " $* " != *" -c "* && " $* " != *--compilation_mode* ]]; then
        options+=(--force_pic)
      fi
      ;;
  esac
  (cd "$UWQ_ROOT" && bazel "${startup[@]}" "$command" "${options[@]}" "$@")
}

# A folder for Bazel's action cache.  Its name holds the versions of the system's
# packages, since Bazel does not see when a header under /usr/include changes.
uwq_cache_folder() {
  local home=${XDG_CACHE_HOME:-${HOME:-}/.cache} packages key
  if [[ ! -w ${home%/*} ]]; then home=${TMPDIR:-/tmp}/uwq-cache-$(id -u); fi
  mapfile -t packages < <("$UWQ_ROOT/tools/setup" --all --list)
  key=$(dpkg-query -W "${packages[@]}" 2>/dev/null | cksum | cut -d' ' -f1)
  printf '%s\n' "$home/uwq/bazel-$key"
}

# The value for --test_tag_filters that leaves out slow targets besides those
# that the given configurations of .bazelrc leave out: quick_filters [NAME...].
# Bazel lets the last such option win, so the two must be joined.
quick_filters() {
  local filters='-slow' config
  for config in "$@"; do
    filters+=$(sed -n "s/^build:$config .*--test_tag_filters=\([^ ]*\).*/,\1/p" "$UWQ_ROOT/.bazelrc")
  done
  printf '%s\n' "$filters"
}

# All source and text files of the tree, tracked or new, one per line.  A tree
# without git (a release archive) is walked instead.
list_files() {
  (
    cd "$UWQ_ROOT" || exit
    if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
      git ls-files --cached --others --exclude-standard
    else
      find . -name 'bazel-*' -prune -o -name .git -prune -o -name __pycache__ -prune \
        -o -type f -print | sed 's|^\./||'
    fi | sort -u | while IFS= read -r file; do
      [[ -f $file ]] && printf '%s\n' "$file"
    done
  )
}

# C and C++ files among the names on standard input.
only_c_family() { grep -E '\.(c|cc|cpp|h|hpp)$' || true; }

# The flags with which one file compiles alone: compile_flags FILE LANGUAGE,
# where LANGUAGE is c or c++.  One flag per line.
compile_flags() {
  local file=$1 language=$2
  printf '%s\n' -I. -Wall -Wextra -Wno-unused-parameter
  if [[ $language == c ]]; then
    printf '%s\n' -std=gnu11
  else
    printf '%s\n' -std=c++20
  fi
  # The include root of the Linux headers is for those who include <linux/...> as
  # a driver does; layers below must keep seeing the system's own headers.
  case $file in
    workqueue/linux/* | drivers/* | tests/*) printf '%s\n' -Iworkqueue/linux ;;
  esac
  case $file in
    *_sim.h | *_sim.cc | */sim/*) printf '%s\n' -DUWQ_SIM ;;
  esac
}

# Prints `PASSED passed, FAILED failed[, SKIPPED skipped]`, the closing line.
closing_line() {
  local line="$1 passed, $2 failed"
  if ((${3:-0} > 0)); then line+=", $3 skipped"; fi
  printf '%s\n' "$line"
}

# Runs `bazel test` and counts: run_tests [BAZEL ARGUMENT...] -- PATTERN...
# Prints failures and the sum of the explored schedules, of which fewer than
# SCHEDULES_MIN are a failure; leaves the counts in
# TESTS_PASSED, TESTS_FAILED and TESTS_SKIPPED.  Returns 1 on any failure.
run_tests() {
  local events counts status=0
  events=$(mktemp) || return 1
  counts=$(mktemp) || return 1
  uwq_bazel test --keep_going --flaky_test_attempts=1 \
    "--build_event_json_file=$events" "$@" || status=$?
  python3 "$UWQ_ROOT/tools/count_tests.py" --bazel-exit "$status" --counts "$counts" \
    --schedules-min "${SCHEDULES_MIN:-0}" "$events" || status=1
  # shellcheck disable=SC2034  # read by the callers
  TESTS_PASSED=0 TESTS_FAILED=1 TESTS_SKIPPED=0
  # shellcheck disable=SC2034
  read -r TESTS_PASSED TESTS_FAILED TESTS_SKIPPED <"$counts" || true
  rm -f "$events" "$counts"
  # An interrupt ends the whole command, not one stage of it.
  if ((status == 8)); then die "interrupted"; fi
  ((TESTS_FAILED == 0))
}

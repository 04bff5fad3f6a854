#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# stage.sh -- copies built libraries, headers and package files into a prefix.
#
#   stage.sh --source DIR --bin DIR --prefix DIR
#
#   --source  the root of the sources
#   --bin     where Bazel left tools/package/libuwq.so and its neighbours
#   --prefix  where to; created if it does not exist
#
# Called by tools/install, which builds first, and by tests/install.  Headers: those
# named below and, through #include "...", whatever they need, so that nothing internal
# is installed by habit.  The result can be moved: its package files use relative paths.
set -euo pipefail

VERSION=0.1.0
SONAME=libuwq.so.0
PUBLIC_HEADERS=(
  workqueue/workqueue.h workqueue/fd_work.h workqueue/c/uwq.h workqueue/event/event_loop.h
  workqueue/rcu_work.h workqueue/rcu/uwq_rcu.h
  workqueue/kthread_worker.h workqueue/kthread/uwq_kthread.h
  delayed/delayed_work.h delayed/uwq_delayed.h delayed/runtime_loop.h
  kup_bridge/bridge.h kup_bridge/kup.h kup_bridge/kupdev.h kup_bridge/kup_abi.h
  workqueue/linux/uwq_linux.h
)
PRIVATE_LIBS=(
  -lstdc++ -labsl_status -labsl_statusor -labsl_strings -labsl_str_format_internal -labsl_cord
  -labsl_time -labsl_base -labsl_throw_delegate -labsl_symbolize -labsl_stacktrace
  -labsl_debugging_internal -labsl_demangle_internal -levent_core -levent_pthreads -lpthread -lm
)

source='' bin='' prefix=''
while (($#)); do
  case $1 in
    --source | --bin | --prefix)
      (($# > 1)) || { echo "stage.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    *)
      echo "stage.sh: unknown argument '$1'" >&2
      exit 2
      ;;
  esac
done
for name in source bin prefix; do
  [[ -n ${!name} ]] || { echo "stage.sh: --$name is missing" >&2; exit 2; }
done
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

# The public headers and what they include, each once.
header_closure() {
  local queue=("$@") name included folder
  declare -A seen=()
  while ((${#queue[@]} > 0)); do
    name=${queue[0]}
    queue=("${queue[@]:1}")
    if [[ -n ${seen[$name]:-} ]]; then continue; fi
    seen[$name]=1
    if [[ ! -f $source/$name ]]; then
      echo "stage.sh: header $name is missing in $source" >&2
      return 1
    fi
    printf '%s\n' "$name"
    folder=${name%/*}
    while IFS= read -r included; do
      # The back end of the simulator, which only tests of this tree define UWQ_SIM for.
      if [[ $included == *_sim.h ]]; then continue; fi
      if [[ -f $source/$included ]]; then
        queue+=("$included")
      elif [[ -f $source/$folder/$included ]]; then
        queue+=("$folder/$included")
      fi # else another library's, or another operating system's
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"]+)".*/\1/p' "$source/$name")
  done
}
linux_headers=()
for header in "$source"/workqueue/linux/linux/*.h; do
  linux_headers+=("${header#"$source"/}")
done
headers=$(header_closure "${PUBLIC_HEADERS[@]}" "${linux_headers[@]}")
while IFS= read -r header; do
  install -D -m 644 "$source/$header" "$prefix/include/uwq/$header"
done <<<"$headers"

install -D -m 755 "$bin/tools/package/libuwq.so" "$prefix/lib/libuwq.so.$VERSION"
ln -sf "libuwq.so.$VERSION" "$prefix/lib/$SONAME"
ln -sf "$SONAME" "$prefix/lib/libuwq.so"
install -m 644 "$bin/tools/package/libuwq.a" "$prefix/lib/libuwq.a"
module_archive=$(find -L "$bin/workqueue/linux" -maxdepth 1 -name 'libmodule_main*.a' -o \
  -maxdepth 1 -name 'libmodule_main*.lo' | sort | tail -n 1)
[[ -n $module_archive ]] || { echo "stage.sh: no archive of module_main in $bin" >&2; exit 1; }
install -m 644 "$module_archive" "$prefix/lib/libuwq-module.a"

cmake_libs=$(IFS=';'; echo "${PRIVATE_LIBS[*]}")
fill() { # TEMPLATE TARGET
  mkdir -p "$(dirname "$2")"
  sed -e "s|@VERSION@|$VERSION|g; s|@SONAME@|$SONAME|g" \
    -e "s|@PRIVATE_LIBS@|${PRIVATE_LIBS[*]}|g; s|@PRIVATE_LIBS_CMAKE@|$cmake_libs|g" "$1" >"$2"
  chmod 644 "$2"
}
fill "$here/uwq.pc.in" "$prefix/lib/pkgconfig/uwq.pc"
fill "$here/uwq-linux.pc.in" "$prefix/lib/pkgconfig/uwq-linux.pc"
fill "$here/uwqConfig.cmake.in" "$prefix/lib/cmake/uwq/uwqConfig.cmake"
fill "$here/uwqConfigVersion.cmake.in" "$prefix/lib/cmake/uwq/uwqConfigVersion.cmake"

for page in "$source"/docs/man/*.[1-9]; do
  install -D -m 644 "$page" "$prefix/share/man/man${page##*.}/${page##*/}"
done
install -D -m 755 "$here/uwq-cc" "$prefix/bin/uwq-cc"
echo "$(wc -l <<<"$headers") headers, $(du -k -L "$prefix/lib/libuwq.so" | cut -f1) KiB libuwq.so in $prefix"

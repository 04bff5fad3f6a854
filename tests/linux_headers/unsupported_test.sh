#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# unsupported_test.sh -- a kernel call that uwq has not refuses to compile and says its
# name; one that nobody declares does, too.  The same frame with a supported call compiles.
set -u
failures=0 cases=0
compile() { # COMPILER HEADER STATEMENT...: each in a function of its own
  {
    printf '#include <linux/%s>\n' "$2"
    i=0
    for statement in "${@:3}"; do
      i=$((i + 1))
      printf 'void f%d(void);\nvoid f%d(void) { %s; }\n' "$i" "$i" "$statement"
    done
  } | $1 -Wall -Wextra -I. -Iworkqueue/linux -c -o /dev/null - 2>&1
}
expect_error() { # COMPILER OUTPUT NAME [WORDS]: an error names NAME and holds WORDS
  cases=$((cases + 1))
  if ! grep 'error' <<<"$2" | grep -F -- "${4:-}" | grep -qwF -- "$3"; then
    echo "FAILED: $3 is not refused by name by $1: $2"
    failures=$((failures + 1))
  fi
}
compilers=("gcc -std=gnu11 -xc" "clang -std=gnu11 -ferror-limit=0 -xc" "g++ -std=c++20 -xc++"
  "clang++ -std=c++20 -ferror-limit=0 -xc++")
refuse() { # HEADER NAME STATEMENT [WORDS]
  local compiler
  for compiler in "${compilers[@]}"; do
    expect_error "$compiler" "$(compile "$compiler" "$1" "$3")" "$2" "${4:-}"
  done
}

for compiler in "${compilers[@]}"; do
  compile "$compiler" workqueue.h 'show_all_workqueues()' ||
    { echo "FAILED: the control does not compile with $compiler"; failures=$((failures + 1)); }
done
# Whatever the headers mark so.  A mere mention, since the right arguments may not exist.
for header in workqueue/linux/linux/*.h; do
  mapfile -t names < <(tr '\n' ' ' <"$header" | grep -oE '\b[a-z_0-9]+\([^();]*\) +UWQ_UNSUPPORTED\(' | sed 's/(.*//')
  ((${#names[@]} > 0)) || continue
  for compiler in "${compilers[@]}"; do
    output=$(compile "$compiler" "${header##*/}" "${names[@]/#/(void)}")
    for name in "${names[@]}"; do
      expect_error "$compiler" "$output" "$name" "uwq does not support this call: "
    done
  done
done
refuse module.h module_param_array 'module_param_array(x, int, 0, 0)' 'uwq does not'
refuse module.h module_param_string 'module_param_string(x, y, 1, 0)' 'uwq does not'
refuse module.h module_param_cb 'module_param_cb(x, 0, 0, 0)' 'uwq does not'
# The kernel's warning at compile time: a system queue that the source names.
for compiler in "gcc -std=gnu11 -O0 -xc" "gcc -std=gnu11 -O2 -xc" "clang -std=gnu11 -O2 -xc" "g++ -std=c++20 -O2 -xc++"; do
  cases=$((cases + 2))
  if ! compile "$compiler" workqueue.h 'flush_workqueue(system_long_wq)' | grep -q "warning:.*uwq_flush_system_workqueue"; then
    echo "FAILED: flushing a system queue makes no warning with $compiler"
    failures=$((failures + 1))
  fi
  if [[ -n $(compile "$compiler" workqueue.h 'struct workqueue_struct *wq = system_long_wq; flush_workqueue(wq)') ]]; then
    echo "FAILED: flushing another queue makes a warning with $compiler"
    failures=$((failures + 1))
  fi
done
# Not declared anywhere.
refuse workqueue.h no_such_kernel_call 'no_such_kernel_call(1)'
((cases >= 110)) || { echo "FAILED: only $cases cases"; failures=$((failures + 1)); }
echo "$cases cases, $failures failures"
exit $((failures != 0))

#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# unsupported_test.sh -- a kernel call that uwq has not refuses to compile and says its
# name; one that nobody declares does, too.  The same frame with a supported call compiles.
set -u
failures=0 cases=0
compile() { # COMPILER HEADER STATEMENT
  printf '#include <linux/%s>\nvoid f(void);\nvoid f(void) { %s; }\n' "$2" "$3" |
    $1 -Wall -Wextra -I. -Iworkqueue/linux -c -o /dev/null - 2>&1
}
refuse() { # HEADER NAME STATEMENT
  local compiler output
  for compiler in "gcc -std=gnu11 -xc" "clang -std=gnu11 -xc" "g++ -std=c++20 -xc++" "clang++ -std=c++20 -xc++"; do
    cases=$((cases + 1))
    if output=$(compile "$compiler" "$1" "$3"); then
      echo "FAILED: $2 compiles with $compiler"
      failures=$((failures + 1))
    elif ! grep 'error' <<<"$output" | grep -qF -- "$2"; then
      echo "FAILED: $2 is not named by $compiler: $output"
      failures=$((failures + 1))
    fi
  done
}

for compiler in "gcc -std=gnu11 -xc" "clang -std=gnu11 -xc" "g++ -std=c++20 -xc++" "clang++ -std=c++20 -xc++"; do
  compile "$compiler" workqueue.h 'show_all_workqueues()' ||
    { echo "FAILED: the control does not compile with $compiler"; failures=$((failures + 1)); }
done
refuse workqueue.h workqueue_sysfs_register 'workqueue_sysfs_register(0)'
refuse workqueue.h workqueue_unbound_housekeeping_update 'workqueue_unbound_housekeeping_update(0)'
refuse workqueue.h wq_watchdog_touch 'wq_watchdog_touch(0)'
refuse workqueue.h print_worker_info 'print_worker_info("", 0)'
refuse workqueue.h wq_worker_comm 'wq_worker_comm(0, 0, 0)'
refuse workqueue.h show_one_workqueue 'show_one_workqueue(0)'
refuse workqueue.h show_freezable_workqueues 'show_freezable_workqueues()'
refuse workqueue.h workqueue_online_cpu 'workqueue_online_cpu(0)'
refuse workqueue.h workqueue_softirq_action 'workqueue_softirq_action(0)'
refuse workqueue.h wq_worker_sleeping 'wq_worker_sleeping(0)'
refuse workqueue.h workqueue_init_early 'workqueue_init_early()'
refuse workqueue.h drmm_alloc_ordered_workqueue 'drmm_alloc_ordered_workqueue(0, "x", 0)'
refuse wait.h prepare_to_wait 'prepare_to_wait(0, 0, 0)'
refuse wait.h add_wait_queue 'add_wait_queue(0, 0)'
refuse ktime.h ktime_get_real 'ktime_get_real()'
refuse suspend.h pm_suspend 'pm_suspend(0)'
refuse interrupt.h tasklet_disable 'tasklet_disable(0)'
refuse interrupt.h tasklet_init 'tasklet_init(0, 0, 0)'
refuse module.h module_param_array 'module_param_array(x, int, 0, 0)'
# Not declared anywhere.
refuse workqueue.h no_such_kernel_call 'no_such_kernel_call(1)'
echo "$cases cases, $failures failures"
exit $((failures != 0))

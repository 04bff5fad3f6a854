/* SPDX-License-Identifier: BSD-3-Clause
 *
 * consumer_module.c -- a module without a main() of its own.
 */
#include <linux/module.h>
#include <linux/workqueue.h>

static int answer = 41;
module_param(answer, int, 0644);

static void fn(struct work_struct *work) {
  (void)work;
  pr_info("answer %d\n", answer);
}
static DECLARE_WORK(item, fn);

static int __init consumer_init(void) {
  schedule_work(&item);
  flush_work(&item);
  return 0;
}
static void __exit consumer_exit(void) { cancel_work_sync(&item); }
module_init(consumer_init);
module_exit(consumer_exit);
MODULE_LICENSE("Dual BSD/GPL");

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * consumer.c -- a C program over the installed <linux/...> headers.
 */
#include <linux/completion.h>
#include <linux/kernel.h>
#include <linux/workqueue.h>
#include <stdio.h>

static struct completion done;
static int runs;

static void poll_fn(struct work_struct *work) {
  struct delayed_work *dw = to_delayed_work(work);

  if (++runs < 3)
    schedule_delayed_work(dw, 1);
  else
    complete(&done);
}
static DECLARE_DELAYED_WORK(poller, poll_fn);

int main(void) {
  struct workqueue_struct *wq = alloc_ordered_workqueue("consumer-%d", 0, 1);

  if (!wq) return 1;
  init_completion(&done);
  if (!queue_delayed_work(wq, &poller, 0)) return 2;
  wait_for_completion(&done);
  cancel_delayed_work_sync(&poller);
  destroy_workqueue(wq);
  printf("ran %d times\n", runs);
  return runs == 3 ? 0 : 3;
}

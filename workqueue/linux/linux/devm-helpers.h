/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/devm-helpers.h>: items that a device cancels when it goes. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_DEVM_HELPERS_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_DEVM_HELPERS_H_

#include <linux/device.h>
#include <linux/workqueue.h>

/* Initialises the item and cancels it, waiting for a run, when the device goes. */
static inline int devm_work_autocancel(struct device *dev, struct work_struct *work,
                                       work_func_t func) {
  INIT_WORK(work, func);
  return uwq_devm_add_action(dev, uwq_devm_cancel_work, work);
}
static inline int devm_delayed_work_autocancel(struct device *dev, struct delayed_work *dw,
                                               work_func_t func) {
  INIT_DELAYED_WORK(dw, func);
  return uwq_devm_add_action(dev, uwq_devm_cancel_delayed_work, dw);
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_DEVM_HELPERS_H_ */

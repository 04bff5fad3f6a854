/* SPDX-License-Identifier: BSD-3-Clause
 *
 * irq_devm.c -- interrupt requests in the kernel's types, and those tied to a device.
 */
#include <linux/interrupt.h>
#include <linux/slab.h>

int uwq_request_irq(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn,
                    unsigned long flags, const char *name, void *data) {
  /* The results are the same numbers: an enum's, an int's. */
  return uwq_linux_request_irq(irq, (uwq_irq_handler_fn)(void (*)(void))handler,
                               (uwq_irq_handler_fn)(void (*)(void))thread_fn,
                               (flags & IRQF_NO_AUTOEN) != 0, name, data);
}

/* Kept on a list, so that devm_free_irq() finds what the device would release. */
struct managed_irq {
  struct list_head node;
  struct device *dev;
  unsigned int irq;
  void *data;
};
static LIST_HEAD(managed_irqs);
static DEFINE_MUTEX(managed_lock);

static void release(void *at) {
  struct managed_irq *managed = at;

  mutex_lock(&managed_lock);
  list_del(&managed->node);
  mutex_unlock(&managed_lock);
  uwq_free_irq(managed->irq, managed->data);
  kfree(managed);
}

int uwq_devm_request_irq(struct device *dev, unsigned int irq, irq_handler_t handler,
                         irq_handler_t thread_fn, unsigned long flags, const char *name,
                         void *data) {
  struct managed_irq *managed = kmalloc(sizeof(*managed), GFP_KERNEL);
  int error;

  if (!managed) return -ENOMEM;
  managed->dev = dev;
  managed->irq = irq;
  managed->data = data;
  error = uwq_request_irq(irq, handler, thread_fn, flags, name ? name : dev_name(dev), data);
  if (error) {
    kfree(managed);
    return error;
  }
  mutex_lock(&managed_lock);
  list_add(&managed->node, &managed_irqs);
  mutex_unlock(&managed_lock);
  return devm_add_action_or_reset(dev, release, managed);
}

void uwq_devm_free_irq(struct device *dev, unsigned int irq, void *data) {
  struct managed_irq *pos, *found = NULL;

  mutex_lock(&managed_lock);
  list_for_each_entry(pos, &managed_irqs, node) {
    if (pos->dev == dev && pos->irq == irq && pos->data == data) found = pos;
  }
  mutex_unlock(&managed_lock);
  if (!WARN_ON(!found)) devm_release_action(dev, release, found);
}

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * irq_devm.c -- interrupt requests in the kernel's types, and those tied to a device.
 */
#include <linux/interrupt.h>
#include <linux/slab.h>

int uwq_request_irq(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn,
                    unsigned long flags, const char *name, void *data) {
  return uwq_linux_request_irq(irq, (uwq_irq_handler_fn)(void (*)(void))handler,
                               (uwq_irq_handler_fn)(void (*)(void))thread_fn,
                               (flags & IRQF_NO_AUTOEN) != 0, name, data);
}

struct managed_irq {
  unsigned int irq;
  void *data;
};

static void release(void *at) {
  struct managed_irq *managed = at;

  uwq_free_irq(managed->irq, managed->data);
  kfree(managed);
}

int uwq_devm_request_irq(struct device *dev, unsigned int irq, irq_handler_t handler,
                         irq_handler_t thread_fn, unsigned long flags, const char *name,
                         void *data) {
  struct managed_irq *managed = kmalloc(sizeof(*managed), GFP_KERNEL);
  int error;

  if (!managed) return -ENOMEM;
  managed->irq = irq;
  managed->data = data;
  error = uwq_request_irq(irq, handler, thread_fn, flags, name ? name : dev_name(dev), data);
  if (error) {
    kfree(managed);
    return error;
  }
  error = devm_add_action_or_reset(dev, release, managed);
  return error;
}

void uwq_devm_free_irq(struct device *dev, unsigned int irq, void *data) {
  struct managed_irq *managed = uwq_device_find(dev, release, irq, data);

  if (!WARN_ON(!managed)) devm_release_action(dev, release, managed);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/interrupt.h>: interrupt lines fed by file descriptors. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_INTERRUPT_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_INTERRUPT_H_

#include <linux/device.h>
#include <linux/irqreturn.h>
#include <linux/preempt.h>
#include <linux/types.h>
#include <linux/workqueue.h>

/* An interrupt line is a number from uwq_irq_from_fd() or uwq_irq_create().  Each has a
 * thread, which runs the handler (marked as interrupt context: sleeping is reported) and
 * after it, if asked, the threaded half. */
typedef irqreturn_t (*irq_handler_t)(int irq, void *data);

#define IRQF_TRIGGER_NONE 0x0
#define IRQF_TRIGGER_RISING 0x1
#define IRQF_TRIGGER_FALLING 0x2
#define IRQF_TRIGGER_HIGH 0x4
#define IRQF_TRIGGER_LOW 0x8
#define IRQF_SHARED 0x80
#define IRQF_NO_SUSPEND 0x4000
#define IRQF_NO_THREAD 0x10000
#define IRQF_NO_AUTOEN 0x80000
#define IRQF_ONESHOT 0x2000

#ifdef __cplusplus
extern "C" {
#endif
/* 0, -EINVAL (no such line, no handler), -EBUSY (it has one), -EAGAIN.  Sleeps. */
int uwq_request_irq(unsigned int irq, irq_handler_t handler, irq_handler_t thread_fn,
                    unsigned long flags, const char *name, void *data);
int uwq_devm_request_irq(struct device *dev, unsigned int irq, irq_handler_t handler,
                         irq_handler_t thread_fn, unsigned long flags, const char *name,
                         void *data);
void uwq_devm_free_irq(struct device *dev, unsigned int irq, void *data);
#ifdef __cplusplus
}
#endif

static inline int __must_check request_irq(unsigned int irq, irq_handler_t handler,
                                           unsigned long flags, const char *name, void *data) {
  return uwq_request_irq(irq, handler, NULL, flags, name, data);
}
static inline int __must_check request_threaded_irq(unsigned int irq, irq_handler_t handler,
                                                    irq_handler_t thread_fn, unsigned long flags,
                                                    const char *name, void *data) {
  return uwq_request_irq(irq, handler, thread_fn, flags, name, data);
}
static inline int __must_check devm_request_irq(struct device *dev, unsigned int irq,
                                                irq_handler_t handler, unsigned long flags,
                                                const char *name, void *data) {
  return uwq_devm_request_irq(dev, irq, handler, NULL, flags, name, data);
}
static inline int __must_check devm_request_threaded_irq(struct device *dev, unsigned int irq,
                                                         irq_handler_t handler,
                                                         irq_handler_t thread_fn,
                                                         unsigned long flags, const char *name,
                                                         void *data) {
  return uwq_devm_request_irq(dev, irq, handler, thread_fn, flags, name, data);
}
static inline const void *free_irq(unsigned int irq, void *data) {
  uwq_free_irq(irq, data);
  return NULL;
}
#define devm_free_irq(dev, irq, data) uwq_devm_free_irq(dev, irq, data)
#define disable_irq(irq) uwq_disable_irq(irq, true)
#define disable_irq_nosync(irq) uwq_disable_irq(irq, false)
#define enable_irq(irq) uwq_enable_irq(irq)
#define synchronize_irq(irq) uwq_synchronize_irq(irq)
/* A machine that sleeps is a program that sleeps. */
#define enable_irq_wake(irq) ((void)(irq), 0)
#define disable_irq_wake(irq) ((void)(irq), 0)

/* --- Tasklets: an item of system_bh_wq ------------------------------------------------------ */
struct tasklet_struct {
  struct work_struct uwq_work;
  void (*callback)(struct tasklet_struct *tasklet);
};
static inline void uwq_tasklet_run(struct work_struct *work) {
  struct tasklet_struct *tasklet = container_of(work, struct tasklet_struct, uwq_work);
  tasklet->callback(tasklet);
}
#define DECLARE_TASKLET(name, fn) \
  struct tasklet_struct name = {__WORK_INITIALIZER(name.uwq_work, uwq_tasklet_run), (fn)}
static inline void tasklet_setup(struct tasklet_struct *tasklet,
                                 void (*callback)(struct tasklet_struct *)) {
  INIT_WORK(&tasklet->uwq_work, uwq_tasklet_run);
  tasklet->callback = callback;
}
#define from_tasklet(var, tasklet, field) container_of(tasklet, __typeof__(*(var)), field)
static inline void tasklet_schedule(struct tasklet_struct *tasklet) {
  queue_work(system_bh_wq, &tasklet->uwq_work);
}
static inline void tasklet_hi_schedule(struct tasklet_struct *tasklet) {
  queue_work(system_bh_highpri_wq, &tasklet->uwq_work);
}
static inline void tasklet_kill(struct tasklet_struct *tasklet) { flush_work(&tasklet->uwq_work); }
void tasklet_disable(struct tasklet_struct *) UWQ_UNSUPPORTED(
    "tasklet_disable() keeps what is scheduled; use disable_work_sync() on an item");
void tasklet_enable(struct tasklet_struct *)
    UWQ_UNSUPPORTED("tasklet_enable(): as tasklet_disable()");
void tasklet_init(struct tasklet_struct *, void (*)(unsigned long), unsigned long)
    UWQ_UNSUPPORTED("tasklet_init(): use tasklet_setup(), or a BH work item");

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_INTERRUPT_H_ */

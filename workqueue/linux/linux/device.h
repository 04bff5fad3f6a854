/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/device.h>: struct device, what is tied to its life, and its messages. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_DEVICE_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_DEVICE_H_

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/* A life for managed resources, a name for messages, a place for the driver's data. */
struct device_driver {
  const char *name;
};
struct device {
  struct device *parent;
  const char *init_name;
  struct device_driver *driver;
  void *platform_data;
  void *driver_data;
  void (*release)(struct device *dev);
  struct mutex mutex;
  /* Private to the library. */
  refcount_t uwq_refs;
  struct mutex uwq_lock;
  struct list_head uwq_resources;
  char uwq_name[48];
  bool uwq_owned; /* by root_device_register() */
};

typedef void (*uwq_devm_action_t)(void *data);

#ifdef __cplusplus
extern "C" {
#endif
void uwq_device_initialize(struct device *dev);
int uwq_dev_set_name(struct device *dev, const char *fmt, ...) UWQ_PRINTF(2, 3);
/* Releases the managed resources, the last one first: what unbinding a driver does. */
void uwq_device_release_all(struct device *dev);
void uwq_put_device(struct device *dev);
struct device *uwq_root_device_register(const char *name);
void uwq_root_device_unregister(struct device *dev);
int uwq_devm_add_action(struct device *dev, uwq_devm_action_t action, void *data);
/* 0, or -ENOENT; `run`: releases it now, else forgets it. */
int uwq_devm_take_action(struct device *dev, uwq_devm_action_t action, void *data, bool run);
void *uwq_devm_kmalloc(struct device *dev, size_t size, gfp_t flags);
void uwq_devm_kfree(struct device *dev, const void *p);
char *uwq_devm_kasprintf(struct device *dev, gfp_t flags, const char *fmt, ...) UWQ_PRINTF(3, 4);
void uwq_devm_destroy_wq(void *wq);
void uwq_devm_cancel_work(void *work);
void uwq_devm_cancel_delayed_work(void *dw);
void uwq_devm_destroy_mutex(void *lock);
#ifdef __cplusplus
}
#endif

#define device_initialize(dev) uwq_device_initialize(dev)
#define dev_set_name(dev, ...) uwq_dev_set_name(dev, __VA_ARGS__)
static inline const char *dev_name(const struct device *dev) {
  return dev->init_name ? dev->init_name : dev->uwq_name;
}
static inline const char *dev_driver_string(const struct device *dev) {
  return dev->driver && dev->driver->name ? dev->driver->name : "";
}
static inline void *dev_get_drvdata(const struct device *dev) { return dev->driver_data; }
static inline void dev_set_drvdata(struct device *dev, void *data) { dev->driver_data = data; }
static inline void *dev_get_platdata(const struct device *dev) { return dev->platform_data; }
static inline struct device *get_device(struct device *dev) {
  if (dev) refcount_inc(&dev->uwq_refs);
  return dev;
}
#define put_device(dev) uwq_put_device(dev)
static inline void device_lock(struct device *dev) { mutex_lock(&dev->mutex); }
static inline int device_trylock(struct device *dev) { return mutex_trylock(&dev->mutex); }
static inline void device_unlock(struct device *dev) { mutex_unlock(&dev->mutex); }
#define root_device_register(name) uwq_root_device_register(name)
#define root_device_unregister(dev) uwq_root_device_unregister(dev)

/* --- Managed resources ------------------------------------------------------------------ */
#define devm_add_action(dev, action, data) uwq_devm_add_action(dev, action, data)
static inline int uwq_devm_add_action_or_reset(struct device *dev, uwq_devm_action_t action,
                                               void *data) {
  int error = uwq_devm_add_action(dev, action, data);
  if (error) action(data);
  return error;
}
#define devm_add_action_or_reset(dev, action, data) uwq_devm_add_action_or_reset(dev, action, data)
#define devm_remove_action(dev, action, data) \
  ((void)WARN_ON(uwq_devm_take_action(dev, action, data, false)))
#define devm_release_action(dev, action, data) \
  ((void)WARN_ON(uwq_devm_take_action(dev, action, data, true)))
static inline void *devm_kmalloc(struct device *dev, size_t size, gfp_t flags) {
  return uwq_devm_kmalloc(dev, size, flags);
}
static inline void *devm_kzalloc(struct device *dev, size_t size, gfp_t flags) {
  return uwq_devm_kmalloc(dev, size, flags | __GFP_ZERO);
}
static inline void *devm_kmalloc_array(struct device *dev, size_t n, size_t size, gfp_t flags) {
  size_t bytes;
  return __builtin_mul_overflow(n, size, &bytes) ? NULL : uwq_devm_kmalloc(dev, bytes, flags);
}
static inline void *devm_kcalloc(struct device *dev, size_t n, size_t size, gfp_t flags) {
  return devm_kmalloc_array(dev, n, size, flags | __GFP_ZERO);
}
static inline void *devm_kmemdup(struct device *dev, const void *from, size_t size, gfp_t flags) {
  void *p = uwq_devm_kmalloc(dev, size, flags);
  if (p) memcpy(p, from, size);
  return p;
}
static inline char *devm_kstrdup(struct device *dev, const char *text, gfp_t flags) {
  return text ? (char *)devm_kmemdup(dev, text, strlen(text) + 1, flags) : NULL;
}
#define devm_kasprintf(dev, flags, ...) uwq_devm_kasprintf(dev, flags, __VA_ARGS__)
#define devm_kfree(dev, p) uwq_devm_kfree(dev, p)
static inline int uwq_devm_mutex_init(struct device *dev, struct mutex *lock, const char *name) {
  uwq_mutex_init(lock, name);
  return uwq_devm_add_action(dev, uwq_devm_destroy_mutex, lock);
}
#define devm_mutex_init(dev, lock) uwq_devm_mutex_init((dev), (lock), #lock)
static inline struct workqueue_struct *uwq_devm_keep_wq(struct device *dev,
                                                        struct workqueue_struct *wq) {
  return wq && uwq_devm_add_action_or_reset(dev, uwq_devm_destroy_wq, wq) ? NULL : wq;
}
#define devm_alloc_workqueue(dev, ...) uwq_devm_keep_wq(dev, alloc_workqueue(__VA_ARGS__))
#define devm_alloc_ordered_workqueue(dev, ...) \
  uwq_devm_keep_wq(dev, alloc_ordered_workqueue(__VA_ARGS__))

/* --- Messages ------------------------------------------------------------------------------ */
#ifndef dev_fmt
#define dev_fmt(fmt) fmt
#endif
#define UWQ_DEV_(level, dev, fmt, ...) \
  uwq_dev_printk(level, dev_driver_string(dev), dev_name(dev), dev_fmt(fmt), ##__VA_ARGS__)
#define dev_emerg(dev, fmt, ...) UWQ_DEV_(0, dev, fmt, ##__VA_ARGS__)
#define dev_alert(dev, fmt, ...) UWQ_DEV_(1, dev, fmt, ##__VA_ARGS__)
#define dev_crit(dev, fmt, ...) UWQ_DEV_(2, dev, fmt, ##__VA_ARGS__)
#define dev_err(dev, fmt, ...) UWQ_DEV_(3, dev, fmt, ##__VA_ARGS__)
#define dev_warn(dev, fmt, ...) UWQ_DEV_(4, dev, fmt, ##__VA_ARGS__)
#define dev_notice(dev, fmt, ...) UWQ_DEV_(5, dev, fmt, ##__VA_ARGS__)
#define dev_info(dev, fmt, ...) UWQ_DEV_(6, dev, fmt, ##__VA_ARGS__)
#ifdef DEBUG
#define dev_dbg(dev, fmt, ...) UWQ_DEV_(7, dev, fmt, ##__VA_ARGS__)
#else
#define dev_dbg(dev, fmt, ...)                   \
  ({                                             \
    if (0) UWQ_DEV_(7, dev, fmt, ##__VA_ARGS__); \
  })
#endif
#define dev_vdbg(dev, fmt, ...)                  \
  ({                                             \
    if (0) UWQ_DEV_(7, dev, fmt, ##__VA_ARGS__); \
  })
#define dev_err_once(dev, ...) UWQ_IF_(UWQ_ONCE_(), dev_err(dev, __VA_ARGS__))
#define dev_warn_once(dev, ...) UWQ_IF_(UWQ_ONCE_(), dev_warn(dev, __VA_ARGS__))
#define dev_info_once(dev, ...) UWQ_IF_(UWQ_ONCE_(), dev_info(dev, __VA_ARGS__))
#define dev_err_ratelimited(dev, ...) UWQ_IF_(UWQ_SELDOM_(), dev_err(dev, __VA_ARGS__))
#define dev_warn_ratelimited(dev, ...) UWQ_IF_(UWQ_SELDOM_(), dev_warn(dev, __VA_ARGS__))
#define dev_info_ratelimited(dev, ...) UWQ_IF_(UWQ_SELDOM_(), dev_info(dev, __VA_ARGS__))
#define dev_dbg_ratelimited(dev, ...) UWQ_IF_(UWQ_SELDOM_(), dev_dbg(dev, __VA_ARGS__))
#define dev_WARN(dev, fmt, ...) \
  WARN(1, "%s %s: " fmt, dev_driver_string(dev), dev_name(dev), ##__VA_ARGS__)
#define dev_WARN_ONCE(dev, condition, fmt, ...) \
  WARN_ONCE(condition, "%s %s: " fmt, dev_driver_string(dev), dev_name(dev), ##__VA_ARGS__)
/* Says why a probe fails and returns the error; "not yet" is nothing to complain about. */
#define dev_err_probe(dev, error, fmt, ...)                          \
  ({                                                                 \
    int uwq_error_ = (error);                                        \
    if (uwq_error_ != -EPROBE_DEFER)                                 \
      UWQ_DEV_(3, dev, "error %d: " fmt, uwq_error_, ##__VA_ARGS__); \
    uwq_error_;                                                      \
  })

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_DEVICE_H_ */

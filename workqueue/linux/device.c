/* SPDX-License-Identifier: BSD-3-Clause
 *
 * device.c -- struct device and the resources that go when it goes.
 *
 * Invariant: resources are released in the reverse order of their acquisition, each
 * exactly once, with no lock held: a release may wait for a work item.
 */
#include <linux/device.h>
#include <linux/printk.h>

struct resource_node {
  struct list_head node;
  uwq_devm_action_t action; /* NULL: memory, which follows this header */
  void *data;
  /* As aligned as kmalloc()'s. */
  char memory[] __attribute__((aligned(16)));
};

void uwq_device_initialize(struct device *dev) {
  mutex_init(&dev->mutex);
  mutex_init(&dev->uwq_lock);
  INIT_LIST_HEAD(&dev->uwq_resources);
  refcount_set(&dev->uwq_refs, 1);
}

int uwq_dev_set_name(struct device *dev, const char *fmt, ...) {
  va_list args;

  va_start(args, fmt);
  vsnprintf(dev->uwq_name, sizeof(dev->uwq_name), fmt, args);
  va_end(args);
  return 0;
}

void uwq_device_release_all(struct device *dev) {
  for (;;) {
    struct resource_node *last;

    mutex_lock(&dev->uwq_lock);
    last = list_last_entry_or_null(&dev->uwq_resources, struct resource_node, node);
    if (last) list_del(&last->node);
    mutex_unlock(&dev->uwq_lock);
    if (!last) return;
    if (last->action) last->action(last->data);
    kfree(last);
  }
}

void uwq_put_device(struct device *dev) {
  if (!dev || !refcount_dec_and_test(&dev->uwq_refs)) return;
  uwq_device_release_all(dev);
  if (dev->release)
    dev->release(dev);
  else if (dev->uwq_owned)
    kfree(dev);
}

struct device *uwq_root_device_register(const char *name) {
  struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

  if (!dev) return ERR_PTR(-ENOMEM);
  uwq_device_initialize(dev);
  dev->uwq_owned = true;
  uwq_dev_set_name(dev, "%s", name);
  return dev;
}

void uwq_root_device_unregister(struct device *dev) {
  uwq_device_release_all(dev); /* at once, even if somebody keeps a reference */
  put_device(dev);
}

/* ---- managed resources */

static struct resource_node *add(struct device *dev, size_t size, gfp_t flags) {
  struct resource_node *node = kmalloc(sizeof(*node) + size, flags);

  if (!node) return NULL;
  node->action = NULL;
  node->data = node->memory;
  mutex_lock(&dev->uwq_lock);
  list_add_tail(&node->node, &dev->uwq_resources);
  mutex_unlock(&dev->uwq_lock);
  return node;
}

int uwq_devm_add_action(struct device *dev, uwq_devm_action_t action, void *data) {
  struct resource_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

  if (!node) return -ENOMEM;
  node->action = action;
  node->data = data;
  mutex_lock(&dev->uwq_lock);
  list_add_tail(&node->node, &dev->uwq_resources);
  mutex_unlock(&dev->uwq_lock);
  return 0;
}

int uwq_devm_take_action(struct device *dev, uwq_devm_action_t action, void *data, bool run) {
  struct resource_node *pos, *found = NULL;

  mutex_lock(&dev->uwq_lock);
  list_for_each_entry_reverse(pos, &dev->uwq_resources, node) {
    if (pos->action == action && pos->data == data) {
      found = pos;
      list_del(&found->node);
      break;
    }
  }
  mutex_unlock(&dev->uwq_lock);
  if (!found) return -ENOENT;
  if (run && action) action(data);
  kfree(found);
  return 0;
}

void *uwq_devm_kmalloc(struct device *dev, size_t size, gfp_t flags) {
  struct resource_node *node = add(dev, size, flags);

  return node ? node->memory : NULL;
}

void uwq_devm_kfree(struct device *dev, const void *p) {
  if (p) WARN_ON(uwq_devm_take_action(dev, NULL, (void *)(unsigned long)p, false));
}

char *uwq_devm_kasprintf(struct device *dev, gfp_t flags, const char *fmt, ...) {
  va_list args;
  char *text;
  int length;

  va_start(args, fmt);
  length = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  text = length < 0 ? NULL : (char *)uwq_devm_kmalloc(dev, (size_t)length + 1, flags);
  if (!text) return NULL;
  va_start(args, fmt);
  vsnprintf(text, (size_t)length + 1, fmt, args);
  va_end(args);
  return text;
}

void uwq_devm_destroy_wq(void *wq) { destroy_workqueue((struct workqueue_struct *)wq); }
void uwq_devm_cancel_work(void *work) { cancel_work_sync((struct work_struct *)work); }
void uwq_devm_cancel_delayed_work(void *dw) { cancel_delayed_work_sync((struct delayed_work *)dw); }
void uwq_devm_destroy_mutex(void *lock) { mutex_destroy((struct mutex *)lock); }

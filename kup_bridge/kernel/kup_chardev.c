// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * kup_chardev.c -- /dev/kup-NAME, and the descriptor of each channel.
 *
 * The node answers KUP_IOC_ATTACH with a descriptor of its own for the channel:
 * mmap, poll, doorbell, eventfd (kup_abi.h, "asking for a channel").
 *
 * Invariant: `sc` of a node is used under its semaphore only, and is NULL once the
 * device is gone; node and descriptors live as long as somebody has them open.
 * Locks: node->sem, then the core's; the core calls in here under none of them,
 * but for kup_port_offer.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "kup_bridge/kernel/kup_kernel.h"

struct kup_node {
  struct kref refs;        /* the device, each open file */
  struct rw_semaphore sem; /* of `sc` */
  struct kupdev_softc *sc; /* NULL: unloaded */
  struct miscdevice misc;
  char name[KUP_NAME_MAX + 4];
  struct list_head list;
  wait_queue_head_t waiters; /* for a free channel */
  atomic_t offers;           /* changes when one may be free */
};

struct kup_opener { /* of /dev/kup-NAME */
  struct kup_node *node;
  int seen; /* node->offers when this file last asked and was refused */
};

struct kup_user { /* of a channel's descriptor */
  struct kup_node *node;
  struct kup_pages *pages;
  struct pid *process; /* who attached */
  uint32_t channel;
  uint32_t generation;
  bool observer;
};

static DEFINE_MUTEX(nodes_lock);
static LIST_HEAD(nodes);

static void node_free(struct kref *refs) { kfree(container_of(refs, struct kup_node, refs)); }

static void node_put(struct kup_node *node) { kref_put(&node->refs, node_free); }

/* The device, which stays until device_put; NULL if it is gone, and then there is nothing to put.
 */
static struct kupdev_softc *device_get(struct kup_node *node) {
  struct kupdev_softc *sc;

  down_read(&node->sem);
  sc = node->sc;
  if (!sc) up_read(&node->sem);
  return sc;
}

static void device_put(struct kup_node *node) { up_read(&node->sem); }

/* ---- the descriptor of a channel ----------------------------------------------------- */

static int set_eventfd(struct kup_pages *pages, int fd) {
  struct eventfd_ctx *ctx = NULL, *old;

  if (fd >= 0) {
    ctx = eventfd_ctx_fdget(fd);
    if (IS_ERR(ctx)) return PTR_ERR(ctx);
  }
  spin_lock_irq(&pages->efd_lock);
  old = pages->efd;
  pages->efd = ctx;
  spin_unlock_irq(&pages->efd_lock);
  if (old) eventfd_ctx_put(old);
  return 0;
}

static int doorbell(struct kup_user *user) {
  struct kupdev_softc *sc;

  if (READ_ONCE(user->pages->revoked)) return -ENODEV;
  sc = device_get(user->node);
  if (!sc) return -ESHUTDOWN;
  kup_wait_kick(kup_core_wait(sc, user->channel));
  device_put(user->node);
  return 0;
}

static long user_ioctl(struct file *file, unsigned int cmd, unsigned long arg) {
  struct kup_user *user = file->private_data;
  int32_t fd;

  if (user->observer) return -EACCES;
  switch (cmd) {
    case KUP_IOC_DOORBELL:
      return doorbell(user);
    case KUP_IOC_SET_EVENTFD:
      if (copy_from_user(&fd, (void __user *)arg, sizeof(fd))) return -EFAULT;
      return set_eventfd(user->pages, fd);
    default:
      return -ENOTTY;
  }
}

/*
 * Each shared word is read once; the device's own words cannot be forged, and a
 * user that forges its own fools nobody else.
 */
static __poll_t user_poll(struct file *file, poll_table *table) {
  struct kup_user *user = file->private_data;
  struct kup_mem *mem = &user->pages->mem;
  __poll_t mask = 0;

  poll_wait(file, &user->pages->pollers, table);
  smp_mb(); /* on the queue before the look; pairs with wq_has_sleeper in kup_mem_signal */
  switch (READ_ONCE(mem->dev->state)) {
    case KUP_STATE_READY:
      break;
    case KUP_STATE_POISONED:
      mask |= EPOLLERR;
      break;
    default: /* shut down or revoked */
      mask |= EPOLLHUP;
  }
  if (user->observer) return mask;
  if (READ_ONCE(mem->dev->d2u_head) != READ_ONCE(mem->user->d2u_tail))
    mask |= EPOLLIN | EPOLLRDNORM;
  if (READ_ONCE(mem->user->u2d_head) - READ_ONCE(mem->dev->u2d_tail) < mem->dev->u2d_size)
    mask |= EPOLLOUT | EPOLLWRNORM;
  return mask;
}

static int user_mmap(struct file *file, struct vm_area_struct *vma) {
  struct kup_user *user = file->private_data;

  return kup_pages_mmap(user->pages, !user->observer, vma);
}

static void offer(struct kup_node *node) {
  atomic_inc(&node->offers);
  wake_up_interruptible_all(&node->waiters);
}

static void leave_channel(struct kup_user *user) {
  struct kup_node *node = user->node;
  struct kupdev_softc *sc;

  if (user->observer) return;
  (void)set_eventfd(user->pages, -1); /* taking it away cannot fail */
  sc = device_get(node);
  if (sc) {
    kup_core_detach(sc, user->channel, user->generation);
    device_put(node);
  }
  offer(node);
}

static void user_free(struct kup_user *user) {
  leave_channel(user);
  kup_pages_put(user->pages);
  node_put(user->node);
  put_pid(user->process);
  kfree(user);
}

static int user_release(struct inode *inode, struct file *file) {
  user_free(file->private_data);
  return 0;
}

/*
 * A child that its process had forked may hold the descriptor when that dies, but not the
 * mappings.  A mere close() is no end while there are mappings.
 */
static int user_flush(struct file *file, fl_owner_t id) {
  struct kup_user *user = file->private_data;

  if ((current->flags & PF_EXITING) && task_tgid(current) == user->process) leave_channel(user);
  return 0;
}

static const struct file_operations user_fops = {
    .owner = THIS_MODULE,
    .release = user_release,
    .flush = user_flush,
    .mmap = user_mmap,
    .poll = user_poll,
    .unlocked_ioctl = user_ioctl,
    .compat_ioctl = compat_ptr_ioctl,
    .llseek = noop_llseek,
};

/* ---- attaching -------------------------------------------------------------------------- */

/* Asks the core for memory of a channel; 0 or -errno. */
static int ask_core(struct kup_node *node, uint32_t channel, struct kup_user *user) {
  struct kupdev_softc *sc = device_get(node);
  struct kup_mem *mem;
  int rc;

  if (!sc) return -ESHUTDOWN;
  rc = user->observer ? kup_core_observe(sc, channel, &mem) : kup_core_attach(sc, channel, &mem);
  if (rc >= 0) {
    user->channel = (uint32_t)rc;
    user->generation = mem->generation;
    user->pages = kup_pages_of(mem);
    /* Our own kind of reference, which outlives the device. */
    kref_get(&user->pages->refs);
    kup_core_put_mem(sc, user->channel, mem);
    rc = 0;
  }
  device_put(node);
  return rc;
}

static int wait_and_ask(struct kup_opener *opener, const struct kup_attach_args *args,
                        struct kup_user *user) {
  struct kup_node *node = opener->node;

  for (;;) {
    int seen = atomic_read(&node->offers), rc;

    smp_rmb(); /* what was offered after `seen` is not missed */
    rc = ask_core(node, args->channel, user);
    if (rc == -EBUSY) WRITE_ONCE(opener->seen, seen);
    if (rc != -EBUSY || !(args->flags & KUP_ATTACH_WAIT)) return rc;
    rc = wait_event_interruptible(node->waiters, atomic_read(&node->offers) != seen);
    if (rc) return rc;
  }
}

/* Makes the descriptor and tells the caller; what fails is undone by the caller. */
static int hand_over(struct kup_user *user, struct kup_attach_args *args, void __user *where) {
  struct file *file;
  int fd = get_unused_fd_flags(O_CLOEXEC);

  if (fd < 0) return fd;
  args->fd = fd;
  if (copy_to_user(where, args, sizeof(*args))) {
    put_unused_fd(fd);
    return -EFAULT;
  }
  file = anon_inode_getfile(user->observer ? "[kup-observer]" : "[kup]", &user_fops, user,
                            user->observer ? O_RDONLY : O_RDWR);
  if (IS_ERR(file)) {
    put_unused_fd(fd);
    return PTR_ERR(file);
  }
  /*
   * All anonymous descriptors share one inode; with its mapping, revoking one
   * channel would take everybody's.
   */
  user->pages->mapping.host = file->f_mapping->host;
  user->pages->mapping.a_ops = file->f_mapping->a_ops;
  file->f_mapping = &user->pages->mapping;
  fd_install(fd, file);
  return 0;
}

static int attach(struct kup_opener *opener, struct kup_attach_args *args, void __user *where) {
  struct kup_user *user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
  struct kup_area *area;
  int rc;

  if (!user) return -ENOMEM;
  user->node = opener->node;
  user->observer = args->op == KUP_OP_OBSERVE;
  rc = wait_and_ask(opener, args, user);
  if (rc) {
    /* For a moment we had the channel, and others were refused it. */
    if (rc == -ENOMEM) offer(user->node);
    kfree(user);
    return rc;
  }
  user->process = get_pid(task_tgid(current));
  area = user->pages->area;
  args->channel = user->channel;
  args->generation = user->generation;
  args->dev_region_len = (uint64_t)area[KUP_AREA_DEV].n << PAGE_SHIFT;
  if (!user->observer) {
    args->user_region_len = (uint64_t)area[KUP_AREA_USER].n << PAGE_SHIFT;
    args->frames_d2u_len = (uint64_t)area[KUP_AREA_D2U].n << PAGE_SHIFT;
    args->frames_u2d_len = (uint64_t)area[KUP_AREA_U2D].n << PAGE_SHIFT;
  }
  kref_get(&user->node->refs);
  rc = hand_over(user, args, where);
  if (rc) user_free(user);
  return rc;
}

/* ---- /dev/kup-NAME ------------------------------------------------------------------------- */

static long node_ioctl(struct file *file, unsigned int cmd, unsigned long arg) {
  struct kup_opener *opener = file->private_data;
  void __user *where = (void __user *)arg;
  struct kup_attach_args request, answer;
  struct kupdev_softc *sc;
  fmode_t wanted = FMODE_READ;

  if (cmd != KUP_IOC_ATTACH) return -ENOTTY;
  if (copy_from_user(&request, where, sizeof(request))) return -EFAULT;
  if (request.magic != KUP_MAGIC || request.abi_major != KUP_ABI_MAJOR) return -EPROTO;
  if (request.flags & ~KUP_ATTACH_WAIT) return -EINVAL;
  memset(&answer, 0, sizeof(answer));
  answer.magic = KUP_MAGIC;
  answer.abi_major = KUP_ABI_MAJOR;
  answer.abi_minor = KUP_ABI_MINOR;
  answer.op = request.op;
  answer.channel = request.channel;
  answer.flags = request.flags;
  answer.fd = -1;
  sc = device_get(opener->node);
  if (!sc) return -ESHUTDOWN;
  answer.n_channels = kup_core_opts(sc)->n_channels;
  answer.max_record = kup_core_opts(sc)->max_record;
  device_put(opener->node);
  switch (request.op) {
    case KUP_OP_INFO:
      return copy_to_user(where, &answer, sizeof(answer)) ? -EFAULT : 0;
    case KUP_OP_ATTACH:
      wanted |= FMODE_WRITE; /* who may only read the node may only observe */
      break;
    case KUP_OP_OBSERVE:
      break;
    default:
      return -EINVAL;
  }
  if ((file->f_mode & wanted) != wanted) return -EACCES;
  return attach(opener, &answer, where);
}

/* Readable when a channel may have become free since this file was refused one. */
static __poll_t node_poll(struct file *file, poll_table *table) {
  struct kup_opener *opener = file->private_data;
  struct kup_node *node = opener->node;
  __poll_t mask = 0;

  poll_wait(file, &node->waiters, table);
  if (atomic_read(&node->offers) != READ_ONCE(opener->seen)) mask |= EPOLLIN | EPOLLRDNORM;
  if (!READ_ONCE(node->sc)) mask |= EPOLLHUP;
  return mask;
}

/* The misc layer's lock is held: the node cannot go before we have counted. */
static int node_open(struct inode *inode, struct file *file) {
  struct kup_node *node = container_of(file->private_data, struct kup_node, misc);
  struct kup_opener *opener = kzalloc(sizeof(*opener), GFP_KERNEL_ACCOUNT);

  if (!opener) return -ENOMEM;
  kref_get(&node->refs);
  opener->node = node;
  opener->seen = atomic_read(&node->offers) - 1;
  file->private_data = opener;
  return stream_open(inode, file);
}

static int node_release(struct inode *inode, struct file *file) {
  struct kup_opener *opener = file->private_data;

  node_put(opener->node);
  kfree(opener);
  return 0;
}

static const struct file_operations node_fops = {
    .owner = THIS_MODULE,
    .open = node_open,
    .release = node_release,
    .poll = node_poll,
    .unlocked_ioctl = node_ioctl,
    .compat_ioctl = compat_ptr_ioctl,
    .llseek = noop_llseek,
};

/* A file name of /dev and nothing that a path, a shell or sysfs reads differently. */
static bool good_name(const char *name) {
  size_t i, n = name ? strnlen(name, KUP_NAME_MAX) : 0;

  for (i = 0; i < n; i++)
    if (!isalnum(name[i]) && !(i && strchr("._-", name[i]))) return false;
  return n > 0 && n < KUP_NAME_MAX;
}

/* nodes_lock.  sysfs would complain aloud about a second one. */
static bool name_taken(const char *name) {
  struct kup_node *node;

  list_for_each_entry(node, &nodes, list) if (!strcmp(node->name, name)) return true;
  return false;
}

int kup_port_register(struct kupdev_softc *sc, const char *name, void **port) {
  struct kup_node *node;
  int rc;

  if (!good_name(name)) return -EINVAL;
  node = kzalloc(sizeof(*node), GFP_KERNEL);
  if (!node) return -ENOMEM;
  kref_init(&node->refs);
  init_rwsem(&node->sem);
  init_waitqueue_head(&node->waiters);
  snprintf(node->name, sizeof(node->name), "kup-%s", name);
  node->sc = sc;
  node->misc.minor = MISC_DYNAMIC_MINOR;
  node->misc.name = node->name;
  node->misc.fops = &node_fops;
  node->misc.mode = kup_core_opts(sc)->mode & 0666;
  mutex_lock(&nodes_lock);
  rc = name_taken(node->name) ? -EEXIST : misc_register(&node->misc);
  if (!rc) list_add(&node->list, &nodes);
  mutex_unlock(&nodes_lock);
  if (rc) {
    node_put(node);
    return rc;
  }
  *port = node;
  return 0;
}

void kup_port_unregister(void *port) {
  struct kup_node *node = port;

  mutex_lock(&nodes_lock);
  list_del(&node->list);
  misc_deregister(&node->misc);
  mutex_unlock(&nodes_lock);
  down_write(&node->sem); /* until the calls into the core have returned */
  node->sc = NULL;
  up_write(&node->sem);
  offer(node); /* who waits for a channel waits in vain */
  node_put(node);
}

void kup_port_offer(void *port) { offer(port); }

/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/lockdep.h>: the names of the kernel's lock checker. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_LOCKDEP_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_LOCKDEP_H_

#include <linux/bug.h>
#include <linux/types.h>

/* uwq's own checker follows locks, not classes: keys and maps carry nothing. */
struct lock_class_key {
  char uwq_unused;
};
struct lockdep_map {
  const char *name;
};
#define lockdep_init_map(map, map_name, key, subclass) ((map)->name = (map_name))
#define lockdep_set_class(lock, key) ((void)(lock), (void)(key))
#define lockdep_set_class_and_name(lock, key, name) ((void)(lock), (void)(key), (void)(name))
#define lockdep_register_key(key) ((void)(key))
#define lockdep_unregister_key(key) ((void)(key))
#define lockdep_assert(condition) ((void)WARN_ON_ONCE(!(condition)))
#define lockdep_assert_once(condition) lockdep_assert(condition)
#define lockdep_assert_held(lock) ((void)(lock))
#define lockdep_assert_held_once(lock) ((void)(lock))
#define lockdep_assert_not_held(lock) ((void)(lock))
#define lockdep_is_held(lock) ((void)(lock), 1)
#define might_lock(lock) ((void)(lock))

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_LOCKDEP_H_ */

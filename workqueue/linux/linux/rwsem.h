/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/rwsem.h>: reader-writer sleeping locks. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_RWSEM_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_RWSEM_H_

#include <linux/atomic.h>
#include <linux/types.h>

struct rw_semaphore {
  atomic_t uwq_state; /* readers, or -1: a writer */
};
#define __RWSEM_INITIALIZER(name) \
  { ATOMIC_INIT(0) }
#define DECLARE_RWSEM(name) struct rw_semaphore name = __RWSEM_INITIALIZER(name)
#define init_rwsem(sem) atomic_set(&(sem)->uwq_state, 0)

#ifdef __cplusplus
extern "C" {
#endif
void uwq_down_read(struct rw_semaphore *sem);
void uwq_down_write(struct rw_semaphore *sem);
bool uwq_down_read_trylock(struct rw_semaphore *sem);
bool uwq_down_write_trylock(struct rw_semaphore *sem);
void uwq_up_read(struct rw_semaphore *sem);
void uwq_up_write(struct rw_semaphore *sem);
#ifdef __cplusplus
}
#endif
#define down_read(sem) uwq_down_read(sem)
#define down_write(sem) uwq_down_write(sem)
#define down_read_trylock(sem) uwq_down_read_trylock(sem)
#define down_write_trylock(sem) uwq_down_write_trylock(sem)
#define up_read(sem) uwq_up_read(sem)
#define up_write(sem) uwq_up_write(sem)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_RWSEM_H_ */

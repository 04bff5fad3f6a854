/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/cpumask.h>: sets of CPUs. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_CPUMASK_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_CPUMASK_H_

#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/smp.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#define NR_CPUS 1024
#define nr_cpu_ids ((unsigned int)uwq_nr_cpus())
struct cpumask {
  unsigned long bits[NR_CPUS / BITS_PER_LONG];
};
typedef struct cpumask cpumask_t;
typedef struct cpumask *cpumask_var_t;
#define cpumask_bits(mask) ((mask)->bits)

static inline bool alloc_cpumask_var(cpumask_var_t *mask, gfp_t flags) {
  (void)flags;
  *mask = (cpumask_var_t)malloc(sizeof(struct cpumask));
  return *mask != NULL;
}
static inline bool zalloc_cpumask_var(cpumask_var_t *mask, gfp_t flags) {
  (void)flags;
  *mask = (cpumask_var_t)calloc(1, sizeof(struct cpumask));
  return *mask != NULL;
}
static inline void free_cpumask_var(cpumask_var_t mask) { free(mask); }
static inline void cpumask_clear(struct cpumask *mask) { memset(mask, 0, sizeof(*mask)); }
static inline void cpumask_setall(struct cpumask *mask) {
  unsigned int cpu;
  cpumask_clear(mask);
  for (cpu = 0; cpu < nr_cpu_ids; cpu++) __set_bit(cpu, mask->bits);
}
static inline void cpumask_set_cpu(unsigned int cpu, struct cpumask *mask) {
  set_bit(cpu, mask->bits);
}
static inline void cpumask_clear_cpu(unsigned int cpu, struct cpumask *mask) {
  clear_bit(cpu, mask->bits);
}
static inline bool cpumask_test_cpu(unsigned int cpu, const struct cpumask *mask) {
  return test_bit(cpu, mask->bits);
}
static inline void cpumask_copy(struct cpumask *to, const struct cpumask *from) { *to = *from; }
static inline bool cpumask_equal(const struct cpumask *a, const struct cpumask *b) {
  return memcmp(a, b, sizeof(*a)) == 0;
}
static inline bool cpumask_and(struct cpumask *to, const struct cpumask *a,
                               const struct cpumask *b) {
  unsigned long any = 0;
  size_t i;
  for (i = 0; i < NR_CPUS / BITS_PER_LONG; i++) any |= to->bits[i] = a->bits[i] & b->bits[i];
  return any != 0;
}
static inline void cpumask_or(struct cpumask *to, const struct cpumask *a,
                              const struct cpumask *b) {
  size_t i;
  for (i = 0; i < NR_CPUS / BITS_PER_LONG; i++) to->bits[i] = a->bits[i] | b->bits[i];
}
static inline unsigned int cpumask_weight(const struct cpumask *mask) {
  unsigned int i, weight = 0;
  for (i = 0; i < NR_CPUS / BITS_PER_LONG; i++) weight += (unsigned int)hweight_long(mask->bits[i]);
  return weight;
}
static inline unsigned int cpumask_next(int cpu, const struct cpumask *mask) {
  unsigned long next = find_next_bit(mask->bits, nr_cpu_ids, (unsigned long)cpu + 1);
  return (unsigned int)next;
}
#define cpumask_first(mask) cpumask_next(-1, mask)
#define cpumask_empty(mask) (cpumask_first(mask) >= nr_cpu_ids)
#define for_each_cpu(cpu, mask)                                       \
  for ((cpu) = cpumask_first(mask); (unsigned int)(cpu) < nr_cpu_ids; \
       (cpu) = cpumask_next((int)(cpu), mask))

/* All CPUs are possible, present and online. */
#define num_online_cpus() nr_cpu_ids
#define num_possible_cpus() nr_cpu_ids
#define num_present_cpus() nr_cpu_ids
#define cpu_online(cpu) ((unsigned int)(cpu) < nr_cpu_ids)
#define cpu_possible(cpu) cpu_online(cpu)
#define for_each_online_cpu(cpu) for ((cpu) = 0; (unsigned int)(cpu) < nr_cpu_ids; (cpu)++)
#define for_each_possible_cpu(cpu) for_each_online_cpu(cpu)
#define cpus_read_lock() ((void)0)
#define cpus_read_unlock() ((void)0)

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_CPUMASK_H_ */

/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/bitops.h>: bits in words. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_BITOPS_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_BITOPS_H_

#include <linux/atomic.h>
#include <linux/bits.h>

#define BITS_TO_LONGS(n) (((n) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, bits) unsigned long name[BITS_TO_LONGS(bits)]

/* Atomic; those that return are fully ordered. */
static inline void set_bit(long nr, volatile unsigned long *addr) {
  __atomic_fetch_or(&addr[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_RELAXED);
}
static inline void clear_bit(long nr, volatile unsigned long *addr) {
  __atomic_fetch_and(&addr[BIT_WORD(nr)], ~BIT_MASK(nr), __ATOMIC_RELAXED);
}
static inline void clear_bit_unlock(long nr, volatile unsigned long *addr) {
  __atomic_fetch_and(&addr[BIT_WORD(nr)], ~BIT_MASK(nr), __ATOMIC_RELEASE);
}
static inline void change_bit(long nr, volatile unsigned long *addr) {
  __atomic_fetch_xor(&addr[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_RELAXED);
}
static inline bool test_and_set_bit(long nr, volatile unsigned long *addr) {
  return (__atomic_fetch_or(&addr[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr)) !=
         0;
}
static inline bool test_and_set_bit_lock(long nr, volatile unsigned long *addr) {
  return (__atomic_fetch_or(&addr[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_ACQUIRE) & BIT_MASK(nr)) !=
         0;
}
static inline bool test_and_clear_bit(long nr, volatile unsigned long *addr) {
  return (__atomic_fetch_and(&addr[BIT_WORD(nr)], ~BIT_MASK(nr), __ATOMIC_SEQ_CST) &
          BIT_MASK(nr)) != 0;
}
static inline bool test_and_change_bit(long nr, volatile unsigned long *addr) {
  return (__atomic_fetch_xor(&addr[BIT_WORD(nr)], BIT_MASK(nr), __ATOMIC_SEQ_CST) & BIT_MASK(nr)) !=
         0;
}
static inline bool test_bit(long nr, const volatile unsigned long *addr) {
  return (__atomic_load_n(&addr[BIT_WORD(nr)], __ATOMIC_RELAXED) & BIT_MASK(nr)) != 0;
}
#define assign_bit(nr, addr, value) ((value) ? set_bit((nr), (addr)) : clear_bit((nr), (addr)))
/* Not atomic. */
static inline void __set_bit(long nr, volatile unsigned long *addr) {
  addr[BIT_WORD(nr)] = addr[BIT_WORD(nr)] | BIT_MASK(nr);
}
static inline void __clear_bit(long nr, volatile unsigned long *addr) {
  addr[BIT_WORD(nr)] = addr[BIT_WORD(nr)] & ~BIT_MASK(nr);
}
static inline bool __test_and_set_bit(long nr, volatile unsigned long *addr) {
  bool old = (addr[BIT_WORD(nr)] & BIT_MASK(nr)) != 0;
  __set_bit(nr, addr);
  return old;
}
static inline bool __test_and_clear_bit(long nr, volatile unsigned long *addr) {
  bool old = (addr[BIT_WORD(nr)] & BIT_MASK(nr)) != 0;
  __clear_bit(nr, addr);
  return old;
}

/* Undefined for 0, as in the kernel. */
static inline unsigned long __ffs(unsigned long x) { return (unsigned long)__builtin_ctzl(x); }
static inline unsigned long __fls(unsigned long x) {
  return (unsigned long)(BITS_PER_LONG - 1 - __builtin_clzl(x));
}
static inline unsigned long ffz(unsigned long x) { return __ffs(~x); }
static inline int fls(unsigned int x) { return x ? 32 - __builtin_clz(x) : 0; }
static inline int fls64(__u64 x) { return x ? 64 - __builtin_clzll(x) : 0; }
static inline int fls_long(unsigned long x) { return x ? (int)__fls(x) + 1 : 0; }
static inline unsigned int hweight8(unsigned int x) {
  return (unsigned int)__builtin_popcount(x & 0xff);
}
static inline unsigned int hweight16(unsigned int x) {
  return (unsigned int)__builtin_popcount(x & 0xffff);
}
static inline unsigned int hweight32(unsigned int x) { return (unsigned int)__builtin_popcount(x); }
static inline unsigned long hweight64(__u64 x) { return (unsigned long)__builtin_popcountll(x); }
static inline unsigned long hweight_long(unsigned long x) {
  return (unsigned long)__builtin_popcountl(x);
}
static inline __u32 rol32(__u32 x, unsigned int n) {
  return (x << (n & 31)) | (x >> ((32 - n) & 31));
}
static inline __u32 ror32(__u32 x, unsigned int n) {
  return (x >> (n & 31)) | (x << ((32 - n) & 31));
}

static inline unsigned long find_next_bit(const unsigned long *addr, unsigned long size,
                                          unsigned long from) {
  for (; from < size; from++) {
    if (test_bit((long)from, addr)) return from;
  }
  return size;
}
static inline unsigned long find_next_zero_bit(const unsigned long *addr, unsigned long size,
                                               unsigned long from) {
  for (; from < size; from++) {
    if (!test_bit((long)from, addr)) return from;
  }
  return size;
}
#define find_first_bit(addr, size) find_next_bit((addr), (size), 0)
#define find_first_zero_bit(addr, size) find_next_zero_bit((addr), (size), 0)
#define for_each_set_bit(bit, addr, size)                      \
  for ((bit) = find_first_bit((addr), (size)); (bit) < (size); \
       (bit) = find_next_bit((addr), (size), (bit) + 1))
#define for_each_clear_bit(bit, addr, size)                         \
  for ((bit) = find_first_zero_bit((addr), (size)); (bit) < (size); \
       (bit) = find_next_zero_bit((addr), (size), (bit) + 1))

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_BITOPS_H_ */

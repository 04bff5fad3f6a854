/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/kstrtox.h>: numbers from text. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_KSTRTOX_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_KSTRTOX_H_

#include <errno.h>
#include <limits.h>
#include <linux/types.h>
#include <stdlib.h>

/* 0, -EINVAL or -ERANGE; one newline at the end is allowed, nothing else. */
static inline int kstrtoll(const char *s, unsigned int base, long long *res) {
  char *end;
  long long value;
  int before = errno;
  errno = 0;
  value = strtoll(s, &end, (int)base);
  if (errno == ERANGE) return -ERANGE;
  errno = before;
  if (end == s || (unsigned char)*s <= ' ') return -EINVAL;
  if (*end == '\n') end++;
  if (*end) return -EINVAL;
  *res = value;
  return 0;
}
static inline int kstrtoull(const char *s, unsigned int base, unsigned long long *res) {
  char *end;
  unsigned long long value;
  int before = errno;
  if (*s == '-') return -EINVAL;
  errno = 0;
  value = strtoull(s, &end, (int)base);
  if (errno == ERANGE) return -ERANGE;
  errno = before;
  if (end == s || (unsigned char)*s <= ' ') return -EINVAL;
  if (*end == '\n') end++;
  if (*end) return -EINVAL;
  *res = value;
  return 0;
}
#define UWQ_KSTRTO_(name, type, wide, call, outside)                    \
  static inline int name(const char *s, unsigned int base, type *res) { \
    wide value;                                                         \
    int error = call(s, base, &value);                                  \
    if (error) return error;                                            \
    if (outside) return -ERANGE;                                        \
    *res = (type)value;                                                 \
    return 0;                                                           \
  }
UWQ_KSTRTO_(kstrtoint, int, long long, kstrtoll, value<INT_MIN || value> INT_MAX)
UWQ_KSTRTO_(kstrtol, long, long long, kstrtoll, value<LONG_MIN || value> LONG_MAX)
UWQ_KSTRTO_(kstrtouint, unsigned int, unsigned long long, kstrtoull, value > UINT_MAX)
UWQ_KSTRTO_(kstrtoul, unsigned long, unsigned long long, kstrtoull, value > ULONG_MAX)
UWQ_KSTRTO_(kstrtou8, u8, unsigned long long, kstrtoull, value > UINT8_MAX)
UWQ_KSTRTO_(kstrtou16, u16, unsigned long long, kstrtoull, value > UINT16_MAX)
UWQ_KSTRTO_(kstrtou32, u32, unsigned long long, kstrtoull, value > UINT32_MAX)
static inline int kstrtou64(const char *s, unsigned int base, u64 *res) {
  return kstrtoull(s, base, res);
}
static inline int kstrtobool(const char *s, bool *res) {
  switch (s ? *s : 0) {
    case 'y':
    case 'Y':
    case 't':
    case 'T':
    case '1':
      *res = true;
      return 0;
    case 'n':
    case 'N':
    case 'f':
    case 'F':
    case '0':
      *res = false;
      return 0;
    case 'o':
    case 'O':
      if (s[1] == 'n' || s[1] == 'N') return *res = true, 0;
      if (s[1] == 'f' || s[1] == 'F') return *res = false, 0;
  }
  return -EINVAL;
}

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_KSTRTOX_H_ */

/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/string.h>: strings, the C library's and the kernel's. Read on: docs/porting_from_linux.md.
 */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_STRING_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_STRING_H_

#if __has_include_next(<linux/string.h>)
#include_next <linux/string.h>
#endif
#include <errno.h>
#include <linux/types.h>
#include <string.h>

/* strnlen() is no part of ISO C. */
static inline size_t uwq_strnlen(const char *text, size_t max) {
  const char *end = (const char *)memchr(text, 0, max);
  return end ? (size_t)(end - text) : max;
}
/* Always ends `to`; -E2BIG if `from` had to be cut. */
static inline ssize_t uwq_strscpy(char *to, const char *from, size_t size) {
  size_t length = uwq_strnlen(from, size);
  if (size == 0) return -E2BIG;
  if (length < size) {
    memcpy(to, from, length + 1);
    return (ssize_t)length;
  }
  memcpy(to, from, size - 1);
  to[size - 1] = '\0';
  return -E2BIG;
}
/* The size may be left out for an array. */
#define UWQ_STRSCPY3_(to, from, size, ...) uwq_strscpy(to, from, size)
#define strscpy(to, ...) UWQ_STRSCPY3_(to, __VA_ARGS__, sizeof(to), 0)

static inline bool strstarts(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}
static inline bool sysfs_streq(const char *a, const char *b) {
  size_t la = strcspn(a, "\n"), lb = strcspn(b, "\n");
  return la == lb && memcmp(a, b, la) == 0;
}
static inline void memzero_explicit(void *at, size_t size) {
  memset(at, 0, size);
  __asm__ __volatile__("" : : "r"(at) : "memory");
}
static inline void *memchr_inv(const void *at, int c, size_t size) {
  const unsigned char *p = (const unsigned char *)at;
  for (; size > 0; p++, size--) {
    if (*p != (unsigned char)c) return (void *)(unsigned long)p;
  }
  return NULL;
}
static inline int match_string(const char *const *array, size_t n, const char *text) {
  size_t i;
  for (i = 0; i < n && array[i]; i++) {
    if (strcmp(array[i], text) == 0) return (int)i;
  }
  return -EINVAL;
}
static inline const char *kbasename(const char *path) {
  const char *tail = strrchr(path, '/');
  return tail ? tail + 1 : path;
}
static inline const char *str_on_off(bool v) { return v ? "on" : "off"; }
static inline const char *str_yes_no(bool v) { return v ? "yes" : "no"; }
static inline const char *str_enable_disable(bool v) { return v ? "enable" : "disable"; }
static inline const char *str_enabled_disabled(bool v) { return v ? "enabled" : "disabled"; }

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_STRING_H_ */

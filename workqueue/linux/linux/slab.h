/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/slab.h>: memory, from the C library. Read on: docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_SLAB_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_SLAB_H_

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#define ARCH_KMALLOC_MINALIGN 16
#define ZERO_SIZE_PTR ((void *)16)
#define ZERO_OR_NULL_PTR(p) ((unsigned long)(p) <= (unsigned long)ZERO_SIZE_PTR)

/* malloc() and relatives, so that every allocator and sanitizer works.  In C++, as in
 * the kernel's own C++ users, the result wants a cast. */
static inline void *kmalloc(size_t size, gfp_t flags) {
  return flags & __GFP_ZERO ? calloc(1, size ? size : 1) : malloc(size ? size : 1);
}
static inline void *kzalloc(size_t size, gfp_t flags) { return kmalloc(size, flags | __GFP_ZERO); }
static inline void *kmalloc_array(size_t n, size_t size, gfp_t flags) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) return NULL;
  return kmalloc(bytes, flags);
}
static inline void *kcalloc(size_t n, size_t size, gfp_t flags) {
  return kmalloc_array(n, size, flags | __GFP_ZERO);
}
static inline void *krealloc(const void *p, size_t size, gfp_t flags) {
  (void)flags;
  return realloc((void *)(unsigned long)p, size ? size : 1);
}
static inline void *krealloc_array(const void *p, size_t n, size_t size, gfp_t flags) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes)) return NULL;
  return krealloc(p, bytes, flags);
}
static inline void kfree(const void *p) { free((void *)(unsigned long)p); }
static inline void kfree_sensitive(const void *p) { kfree(p); }
#define kfree_const(p) kfree(p)
#define kmalloc_node(size, flags, node) kmalloc(size, flags)
#define kzalloc_node(size, flags, node) kzalloc(size, flags)
#define kvmalloc(size, flags) kmalloc(size, flags)
#define kvzalloc(size, flags) kzalloc(size, flags)
#define kvcalloc(n, size, flags) kcalloc(n, size, flags)
#define kvmalloc_array(n, size, flags) kmalloc_array(n, size, flags)
#define kvfree(p) kfree(p)
#define vmalloc(size) kmalloc(size, GFP_KERNEL)
#define vzalloc(size) kzalloc(size, GFP_KERNEL)
#define vfree(p) kfree(p)
/* The typed calls of 7.x. */
#define kmalloc_obj(object, ...) ((__typeof__(object) *)kmalloc(sizeof(object), GFP_KERNEL))
#define kzalloc_obj(object, ...) ((__typeof__(object) *)kzalloc(sizeof(object), GFP_KERNEL))
#define kmalloc_objs(object, n, ...) \
  ((__typeof__(object) *)kmalloc_array(n, sizeof(object), GFP_KERNEL))
#define kzalloc_objs(object, n, ...) ((__typeof__(object) *)kcalloc(n, sizeof(object), GFP_KERNEL))

static inline void *kmemdup(const void *from, size_t size, gfp_t flags) {
  void *p = kmalloc(size, flags);
  if (p) memcpy(p, from, size);
  return p;
}
static inline char *kstrdup(const char *text, gfp_t flags) {
  return text ? (char *)kmemdup(text, strlen(text) + 1, flags) : NULL;
}
static inline char *kstrndup(const char *text, size_t max, gfp_t flags) {
  size_t length = uwq_strnlen(text, max);
  char *copy = (char *)kmalloc(length + 1, flags);
  if (copy) {
    memcpy(copy, text, length);
    copy[length] = '\0';
  }
  return copy;
}
#define kstrdup_const(text, flags) kstrdup(text, flags)

#define struct_size(p, member, n) (sizeof(*(p)) + sizeof((p)->member[0]) * (size_t)(n))
#define array_size(a, b) ((size_t)(a) * (size_t)(b))
#define size_mul(a, b) ((size_t)(a) * (size_t)(b))
#define size_add(a, b) ((size_t)(a) + (size_t)(b))

/* A cache is its object size: the C library's allocator is a slab allocator. */
struct kmem_cache {
  size_t size;
  void (*constructor)(void *object);
};
#define SLAB_HWCACHE_ALIGN 0
#define SLAB_PANIC 0
static inline struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
                                                   unsigned long flags, void (*ctor)(void *)) {
  struct kmem_cache *cache = (struct kmem_cache *)malloc(sizeof(*cache));
  (void)name, (void)align, (void)flags;
  if (cache) {
    cache->size = size;
    cache->constructor = ctor;
  }
  return cache;
}
#define KMEM_CACHE(type, flags) kmem_cache_create(#type, sizeof(struct type), 0, flags, NULL)
static inline void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags) {
  void *object = kmalloc(cache->size, flags);
  if (object && cache->constructor) cache->constructor(object);
  return object;
}
static inline void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags) {
  return kmem_cache_alloc(cache, flags | __GFP_ZERO);
}
static inline void kmem_cache_free(struct kmem_cache *cache, void *object) {
  (void)cache;
  free(object);
}
static inline void kmem_cache_destroy(struct kmem_cache *cache) { free(cache); }

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_SLAB_H_ */

/* SPDX-License-Identifier: BSD-3-Clause
 *
 * util_test.c -- lists, bits, counters, strings, numbers, memory, messages.
 */
#include <linux/bitops.h>
#include <linux/cpumask.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "tests/linux_headers/check.h"

struct entry {
  int value;
  struct list_head node;
  struct hlist_node hash;
};

static void lists(void) {
  LIST_HEAD(head);
  LIST_HEAD(other);
  struct entry e[5], *pos, *n;
  struct hlist_head bucket = HLIST_HEAD_INIT;
  int i, sum = 0;

  CHECK(list_empty(&head) && list_first_entry_or_null(&head, struct entry, node) == NULL);
  for (i = 0; i < 5; i++) {
    e[i].value = i;
    list_add_tail(&e[i].node, &head);
    hlist_add_head(&e[i].hash, &bucket);
  }
  list_for_each_entry(pos, &head, node) sum = sum * 10 + pos->value;
  CHECK_EQ(sum, 1234);
  sum = 0;
  list_for_each_entry_reverse(pos, &head, node) sum = sum * 10 + pos->value;
  CHECK_EQ(sum, 43210);
  CHECK(list_is_last(&e[4].node, &head) && list_is_first(&e[0].node, &head));
  CHECK(list_next_entry(&e[1], node) == &e[2] && list_prev_entry(&e[1], node) == &e[0]);
  list_for_each_entry_safe(pos, n, &head, node) {
    if (pos->value % 2) list_move(&pos->node, &other);
  }
  CHECK_EQ(list_count_nodes(&head), 3);
  CHECK(list_first_entry(&other, struct entry, node) == &e[3]);
  list_splice_tail_init(&other, &head);
  CHECK(list_empty(&other) && list_last_entry(&head, struct entry, node) == &e[1]);
  list_rotate_left(&head);
  CHECK(list_last_entry(&head, struct entry, node) == &e[0]);
  list_del(&e[0].node);
  CHECK(e[0].node.next == LIST_POISON1);
  list_del_init(&e[1].node);
  CHECK(list_empty(&e[1].node) && !list_is_singular(&head));
  sum = 0;
  hlist_for_each_entry(pos, &bucket, hash) sum += pos->value;
  CHECK_EQ(sum, 10);
  for (i = 0; i < 5; i++) hlist_del_init(&e[i].hash);
  CHECK(hlist_empty(&bucket) && hlist_unhashed(&e[2].hash));
}

static void bits_and_masks(void) {
  DECLARE_BITMAP(map, 130) = {0};
  unsigned long bit, found = 0;

  set_bit(129, map);
  set_bit(3, map);
  CHECK(test_bit(129, map) && test_and_set_bit(3, map) && !test_and_set_bit(64, map));
  for_each_set_bit(bit, map, 130) found = found * 1000 + bit;
  CHECK_EQ(found, 3064129);
  CHECK(test_and_clear_bit(64, map) && !test_bit(64, map));
  CHECK_EQ(find_first_zero_bit(map, 130), 0);
  CHECK_EQ(GENMASK(7, 4), 0xf0);
  CHECK_EQ(BIT(5) | BIT_ULL(6), 0x60);
  CHECK(fls(0) == 0 && fls(1) == 1 && __ffs(8) == 3 && __fls(9) == 3 && ffz(7) == 3);
  CHECK(hweight32(0xff) == 8 && rol32(0x80000001u, 1) == 3);
  CHECK(is_power_of_2(64) && !is_power_of_2(0) && roundup_pow_of_two(33) == 64);
  CHECK(ilog2(1024) == 10 && order_base_2(33) == 6);
}

static int released;
static void release(struct kref *kref) {
  (void)kref;
  released++;
}
static void counters(void) {
  atomic_t a = ATOMIC_INIT(1);
  atomic64_t big = ATOMIC64_INIT(1);
  refcount_t r = REFCOUNT_INIT(1);
  struct kref kref;
  int old = 5;

  CHECK(atomic_inc_return(&a) == 2 && atomic_fetch_add(3, &a) == 2 && atomic_read(&a) == 5);
  CHECK(!atomic_try_cmpxchg(&a, (old = 4, &old), 9) && old == 5);
  CHECK(atomic_cmpxchg(&a, 5, 6) == 5 && atomic_xchg(&a, 1) == 6 && atomic_dec_and_test(&a));
  CHECK(!atomic_inc_not_zero(&a) && !atomic_add_unless(&a, 1, 0));
  CHECK_EQ(atomic_dec_if_positive(&a), -1);
  CHECK_EQ(atomic64_add_return(1LL << 40, &big), (1LL << 40) + 1);
  CHECK(refcount_inc_not_zero(&r) && !refcount_dec_and_test(&r) && refcount_dec_and_test(&r));
  CHECK(!refcount_inc_not_zero(&r));
  CHECK_NOT_REPORTED();
  refcount_inc(&r);
  CHECK_REPORTED("use-after-free");
  kref_init(&kref);
  kref_get(&kref);
  CHECK(kref_put(&kref, release) == 0 && kref_put(&kref, release) == 1 && released == 1);
}

static void numbers_and_strings(void) {
  char buffer[8];
  unsigned int u;
  int i = 0;
  u8 byte;
  bool b;
  u64 n = 1000000007;

  CHECK_EQ(kstrtoint("-12\n", 0, &i), 0);
  CHECK_EQ(i, -12);
  CHECK_EQ(kstrtoint("12x", 0, &i), -EINVAL);
  CHECK_EQ(kstrtoint("99999999999", 0, &i), -ERANGE);
  CHECK(kstrtouint("0x10", 0, &u) == 0 && u == 16);
  CHECK_EQ(kstrtou8("256", 10, &byte), -ERANGE);
  CHECK_EQ(kstrtouint("-1", 10, &u), -EINVAL);
  CHECK(kstrtobool("on", &b) == 0 && b && kstrtobool("N", &b) == 0 && !b);
  CHECK_EQ(strscpy(buffer, "longer than eight"), -E2BIG);
  CHECK(strcmp(buffer, "longer ") == 0);
  CHECK_EQ(strscpy(buffer, "abc", 4), 3);
  CHECK_EQ(scnprintf(buffer, sizeof(buffer), "%d", 123456789), 7);
  CHECK(strstarts("prefix", "pre") && sysfs_streq("on\n", "on") && !sysfs_streq("on", "off"));
  CHECK_EQ(DIV_ROUND_UP(7, 3), 3);
  CHECK_EQ(DIV_ROUND_CLOSEST(-7, 2), -4);
  CHECK_EQ(ALIGN(5, 4), 8);
  CHECK_EQ(do_div(n, 1000), 7);
  CHECK_EQ(div_u64(n, 1000), 1000);
  CHECK(min(3, 4) == 3 && max(3, 4) == 4 && clamp(9, 1, 5) == 5 && min_t(u8, 300, 50) == 44);
  u = 1, i = 2;
  swap(u, i);
  CHECK(u == 2 && i == 1 && min_not_zero(0, 5) == 5);
  CHECK(IS_ERR(ERR_PTR(-ENOMEM)) && PTR_ERR(ERR_PTR(-ENOMEM)) == -ENOMEM && !IS_ERR(&u));
  CHECK(IS_ERR_OR_NULL(NULL) && PTR_ERR_OR_ZERO(&u) == 0);
  CHECK(!IS_ENABLED(CONFIG_NONE) && upper_32_bits(1ULL << 33) == 2);
#define CONFIG_SOME 1
  CHECK(IS_ENABLED(CONFIG_SOME));
}

static void put_buffer(void *p) { kfree(p); }
DEFINE_FREE(buffer, void *, put_buffer(_T))
static void memory(void) {
  struct kmem_cache *cache = kmem_cache_create("c", 24, 0, 0, NULL);
  void *p __free(buffer) = kzalloc(10, GFP_KERNEL), *q;
  int *numbers = kcalloc(4, sizeof(*numbers), GFP_KERNEL);
  char *text = kstrdup("text", GFP_KERNEL);

  CHECK(p && numbers[3] == 0 && strcmp(text, "text") == 0);
  CHECK(kmalloc_array(SIZE_MAX / 2, 4, GFP_KERNEL) == NULL);
  q = no_free_ptr(p);
  CHECK(p == NULL && q != NULL);
  p = q; /* freed at the end of the scope */
  numbers = krealloc(numbers, 64, GFP_KERNEL);
  kfree(numbers);
  kfree(text);
  kfree(NULL);
  q = kmem_cache_zalloc(cache, GFP_KERNEL);
  CHECK(q && memchr_inv(q, 0, 24) == NULL);
  kmem_cache_free(cache, q);
  kmem_cache_destroy(cache);
}

static char logged[256];
static int logged_level;
static void take_log(int level, const char *text, void *arg) {
  (void)arg;
  logged_level = level;
  snprintf(logged, sizeof(logged), "%s", text);
}
#undef pr_fmt
#define pr_fmt(fmt) "unit: " fmt
static void messages(void) {
  int i, dropped = 0;

  uwq_set_printk_handler(take_log, NULL);
  pr_err("number %d\n", 5);
  CHECK(strcmp(logged, "unit: number 5\n") == 0 && logged_level == 3);
  printk("plain\n");
  CHECK(strcmp(logged, "plain\n") == 0 && logged_level == 4);
  pr_debug("not compiled in %d\n", 1);
  CHECK(strcmp(logged, "plain\n") == 0);
  for (i = 0; i < 3; i++) pr_info_once("once %d\n", i);
  CHECK(strcmp(logged, "unit: once 0\n") == 0);
  for (i = 0; i < 50; i++) {
    logged[0] = '\0';
    pr_warn_ratelimited("often\n");
    dropped += logged[0] == '\0';
  }
  CHECK(dropped >= 40);
  uwq_set_printk_handler(NULL, NULL);
  CHECK(WARN_ON(1 == 1));
  CHECK_REPORTED("1 == 1");
  for (i = 0; i < 3; i++) CHECK(WARN_ONCE(i >= 0, "at %d", 7));
  CHECK_EQ(atomic_read(&reports), 1);
  CHECK_REPORTED("at 7");
  CHECK(!WARN_ON_ONCE(i < 0));
  CHECK_NOT_REPORTED();
}

static void cpu_sets(void) {
  cpumask_var_t mask;
  unsigned int cpu, n = 0;

  CHECK(zalloc_cpumask_var(&mask, GFP_KERNEL) && cpumask_empty(mask));
  cpumask_setall(mask);
  for_each_cpu(cpu, mask) n++;
  CHECK(n == num_online_cpus() && cpumask_weight(mask) == n && cpumask_test_cpu(0, mask));
  free_cpumask_var(mask);
}

RUN_TESTS(lists, bits_and_masks, counters, numbers_and_strings, memory, messages, cpu_sets)

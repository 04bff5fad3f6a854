/* SPDX-License-Identifier: BSD-3-Clause
 *
 * c_api_test.c -- the C ABI from a C11 program: every call of workqueue/c/uwq.h, its
 * returns and errno values, its layouts, and bad input.
 *
 * Plain asserts in C: each failure is printed with its line; the exit status counts.
 */
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workqueue/c/uwq.h"

/* [UWQ-C-1] */
_Static_assert(sizeof(struct uwq_work) == 32, "frozen");
_Static_assert(offsetof(struct uwq_work, data) == 0, "frozen");
_Static_assert(offsetof(struct uwq_work, entry) == 8, "frozen");
_Static_assert(offsetof(struct uwq_work, func) == 24, "frozen");
_Static_assert(sizeof(struct uwq_list_head) == 16, "frozen");
_Static_assert(sizeof(struct uwq_tracked_lock) == 24, "frozen");
_Static_assert(offsetof(struct uwq_tracked_lock, id) == 8, "frozen");
_Static_assert(offsetof(struct uwq_workqueue_attrs, cpumask) == 16, "frozen");
_Static_assert(sizeof(struct uwq_workqueue_attrs) == 16 + 128, "frozen");
_Static_assert(UWQ_BH == 1 && UWQ_UNBOUND == 2 && UWQ_FREEZABLE == 4 && UWQ_MEM_RECLAIM == 8 &&
                   UWQ_HIGHPRI == 16 && UWQ_CPU_INTENSIVE == 32 && UWQ_SYSFS == 64 &&
                   UWQ_POWER_EFFICIENT == 128 && UWQ_PERCPU == 256,
               "the kernel's values");
_Static_assert(UWQ_MAX_ACTIVE == 2048 && UWQ_DFL_ACTIVE == 1024, "the kernel's values");

static int failures;
#define CHECK(cond)                                             \
  do {                                                          \
    if (!(cond)) {                                              \
      printf("c_api_test.c:%d: failed: %s\n", __LINE__, #cond); \
      ++failures;                                               \
    }                                                           \
  } while (0)

/* --- Items -------------------------------------------------------------------- */

static atomic_int runs, go, started;
static struct uwq_work* seen_current;

static void count(struct uwq_work* work) {
  seen_current = uwq_current_work();
  CHECK(seen_current == work || seen_current == NULL); /* NULL in BH items */
  atomic_fetch_add(&runs, 1);
}

static void block(struct uwq_work* work) {
  (void)work;
  atomic_store(&started, 1);
  uwq_blocking_enter();
  uwq_blocking_enter();
  while (!atomic_load(&go)) sched_yield();
  uwq_blocking_exit();
  uwq_blocking_exit();
}

/* T015, [UWQ-C-2]: a static item works without a call. */
static struct uwq_work static_item = UWQ_WORK_INITIALIZER(static_item, count);

static int report_count;
static char last_kind[64], last_text[512];
static void on_report(const char* kind, const char* text, void* arg) {
  CHECK(arg == &report_count);
  snprintf(last_kind, sizeof(last_kind), "%s", kind);
  snprintf(last_text, sizeof(last_text), "%s", text);
  ++report_count;
}
/* The last report was of that kind, named that, and was the only one. */
#define CHECK_REPORT(kind, part)                                                         \
  do {                                                                                   \
    CHECK(report_count == 1 && strcmp(last_kind, kind) == 0 && strstr(last_text, part)); \
    if (report_count != 1)                                                               \
      printf("  %d reports, last: %s: %s\n", report_count, last_kind, last_text);        \
    report_count = 0;                                                                    \
  } while (0)

static void test_items(struct uwq_runtime* rt, struct uwq_workqueue* wq) {
  struct uwq_work item, blocker;
  (void)rt;
  uwq_init_work(&item, count);
  uwq_init_work(&blocker, block);

  atomic_store(&runs, 0);
  CHECK(uwq_queue_work(wq, &static_item));
  CHECK(uwq_queue_work(wq, &item));
  uwq_flush_workqueue(wq);
  CHECK(atomic_load(&runs) == 2);
  CHECK(!uwq_work_pending(&item) && uwq_work_busy(&item) == 0);
  CHECK(!uwq_flush_work(&item) && !uwq_cancel_work(&item) && !uwq_cancel_work_sync(&item));

  CHECK(uwq_queue_work_on(1, wq, &item));
  CHECK(uwq_flush_work(&item) || atomic_load(&runs) == 3); /* [UWQ-C-6] */
  CHECK(atomic_load(&runs) == 3);

  /* [UWQ-C-3], [UWQ-C-4]: pending and running at once. */
  atomic_store(&go, 0);
  atomic_store(&started, 0);
  CHECK(uwq_queue_work(wq, &blocker));
  while (!atomic_load(&started)) sched_yield();
  CHECK(uwq_work_busy(&blocker) == UWQ_BUSY_RUNNING && !uwq_work_pending(&blocker));
  CHECK(uwq_queue_work(wq, &blocker));
  CHECK(!uwq_queue_work(wq, &blocker));
  CHECK(uwq_work_busy(&blocker) == (UWQ_BUSY_PENDING | UWQ_BUSY_RUNNING));
  CHECK(uwq_cancel_work(&blocker));
  atomic_store(&go, 1);
  CHECK(!uwq_cancel_work_sync(&blocker));

  /* [UWQ-C-5] */
  CHECK(!uwq_disable_work(&item) && !uwq_disable_work_sync(&item));
  CHECK(!uwq_queue_work(wq, &item));
  CHECK(!uwq_enable_work(&item));
  CHECK(uwq_enable_and_queue_work(wq, &item));
  uwq_drain_workqueue(wq);
  CHECK(atomic_load(&runs) == 4);

  struct uwq_work on_stack;
  uwq_init_work_onstack(&on_stack, count);
  CHECK(uwq_queue_work(wq, &on_stack));
  uwq_flush_work(&on_stack);
  uwq_destroy_work_on_stack(&on_stack);
  CHECK(atomic_load(&runs) == 5);
  CHECK(report_count == 0);
}

static void test_bad_items(struct uwq_workqueue* wq) {
  struct uwq_work item, zero;
  memset(&zero, 0, sizeof(zero));
  uwq_reset_reports();
  CHECK(!uwq_queue_work(wq, &zero));
  CHECK_REPORT("uninitialised item", "never initialised");
  uwq_init_work(&item, count);
  atomic_store(&runs, 0);
  CHECK(uwq_queue_work_on(77, wq, &item)); /* no such CPU: the local one */
  uwq_flush_workqueue(wq);
  CHECK(atomic_load(&runs) == 1);
  CHECK_REPORT("bad CPU", "CPU 77 ");
  CHECK(uwq_queue_work_on(-5, wq, &item));
  uwq_flush_workqueue(wq);
  CHECK(atomic_load(&runs) == 2 && report_count == 0); /* told once */
  CHECK(uwq_enable_work(&item));
  CHECK_REPORT("enable underflow", "count");
}

/* --- Queues ------------------------------------------------------------------------ */

static struct uwq_workqueue* expect_null(struct uwq_workqueue* wq, int error, const char* part) {
  const int got = errno;
  CHECK(wq == NULL);
  CHECK(got == error);
  CHECK(strstr(uwq_last_error(), part) != NULL);
  if (strstr(uwq_last_error(), part) == NULL) printf("  last error: %s\n", uwq_last_error());
  return wq;
}

static void test_queues(struct uwq_runtime* rt) {
  errno = 0; /* [UWQ-C-7] */
  expect_null(uwq_alloc_workqueue(rt, NULL, UWQ_UNBOUND, 0), EINVAL, "name");
  expect_null(uwq_alloc_workqueue(rt, "", UWQ_UNBOUND, 0), EINVAL, "name");
  expect_null(uwq_alloc_ordered_workqueue(rt, NULL, 0), EINVAL, "name");
  expect_null(uwq_alloc_workqueue(rt, "odd", UWQ_UNBOUND | 1u << 12, 0), EINVAL, "0x1000");
  uwq_reset_reports();
  expect_null(uwq_alloc_workqueue(rt, "odd", UWQ_BH | UWQ_UNBOUND, 0), EINVAL, "odd");
  CHECK_REPORT("bad flags", "odd");
  expect_null(uwq_alloc_workqueue(rt, "odd", UWQ_BH, 3), EINVAL, "odd");
  CHECK_REPORT("bad flags", "max_active 3");
  expect_null(uwq_alloc_ordered_workqueue(rt, "odd", UWQ_BH), EINVAL, "odd");
  report_count = 0;

  uwq_reset_reports();
  struct uwq_workqueue* wq = uwq_alloc_workqueue(rt, "many", UWQ_UNBOUND | UWQ_FREEZABLE, 99999);
  CHECK(wq != NULL);
  CHECK_REPORT("max_active clamped", "99999");
  CHECK(strcmp(uwq_workqueue_name(wq), "many") == 0);
  CHECK(uwq_workqueue_flags(wq) == (UWQ_UNBOUND | UWQ_FREEZABLE));
  uwq_workqueue_set_max_active(wq, 0);
  CHECK_REPORT("max_active clamped", " 0 ");
  uwq_workqueue_set_max_active(wq, 4);
  uwq_workqueue_set_min_active(wq, 2);
  CHECK(!uwq_workqueue_congested(0, wq) && !uwq_workqueue_congested(UWQ_CPU_UNBOUND, wq));

  struct uwq_workqueue_attrs attrs;
  memset(&attrs, 0, sizeof(attrs));
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == 0); /* [UWQ-C-9] */
  attrs.nice = 99;
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == -EINVAL);
  CHECK(strstr(uwq_last_error(), "99") != NULL);
  attrs.nice = 3;
  attrs.affn_scope = 55;
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == -EINVAL);
  attrs.affn_scope = UWQ_AFFN_CPU;
  attrs.cpumask[15] = 1ull << 63; /* CPU 1023 */
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == -EINVAL);
  attrs.cpumask[15] = 0;
  attrs.cpumask[0] = 3;
  attrs.affn_strict = true;
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == 0);

  struct uwq_work item;
  uwq_init_work(&item, count);
  atomic_store(&runs, 0);
  uwq_freeze_workqueues_begin(rt);
  CHECK(uwq_queue_work_node(0, wq, &item));
  CHECK(!uwq_freeze_workqueues_busy(rt));
  CHECK(uwq_work_pending(&item) && atomic_load(&runs) == 0);
  uwq_thaw_workqueues(rt);
  uwq_flush_workqueue(wq);
  CHECK(atomic_load(&runs) == 1);
  uwq_destroy_workqueue(wq);
  CHECK(report_count == 0);
  uwq_destroy_workqueue(wq);
  CHECK_REPORT("double destroy", "many"); /* [UWQ-C-8] */

  wq = uwq_alloc_workqueue(rt, "percpu", UWQ_PERCPU, 0);
  CHECK(uwq_apply_workqueue_attrs(wq, &attrs) == -EINVAL);
  CHECK_REPORT("unbound only", "percpu");
  uwq_destroy_workqueue(wq);
}

static void test_system_queues(struct uwq_runtime* rt) {
  for (int i = 0; i < UWQ_SYSTEM_NR; ++i) {
    struct uwq_workqueue* wq = uwq_system_wq(rt, i);
    CHECK(wq != NULL && wq == uwq_system_wq(rt, i));
  }
  CHECK(uwq_system_wq(rt, UWQ_SYSTEM_NR) == NULL);
  CHECK(uwq_system_wq(rt, -1) == NULL);
  CHECK(strcmp(uwq_workqueue_name(uwq_system_wq(rt, UWQ_SYSTEM_PERCPU)), "events") == 0);
  uwq_reset_reports();
  report_count = 0;
}

/* --- The calling thread, locks, dumps ----------------------------------------------- */

static struct uwq_tracked_lock lock;
static void takes_the_lock(struct uwq_work* work) {
  (void)work;
  uwq_set_worker_desc("a description that is longer than thirty-one characters");
  uwq_tracked_lock_acquired(&lock);
  uwq_tracked_lock_released(&lock);
  CHECK(!uwq_current_is_workqueue_rescuer());
  CHECK(uwq_current_is_workqueue_mem_reclaim());
}

static void test_surroundings(struct uwq_runtime* rt) {
  struct uwq_workqueue* wq = uwq_alloc_workqueue(rt, "reclaim", UWQ_UNBOUND | UWQ_MEM_RECLAIM, 0);
  struct uwq_work item;
  uwq_tracked_lock_init(&lock, "c_lock");
  uwq_init_work(&item, takes_the_lock);
  CHECK(uwq_queue_work(wq, &item));
  uwq_flush_workqueue(wq);
  CHECK(uwq_current_work() == NULL);
  CHECK(!uwq_current_is_workqueue_rescuer() && !uwq_current_is_workqueue_mem_reclaim());
  uwq_might_sleep("outside of items anything may");
  uwq_blocking_enter();
  uwq_blocking_exit();
  uwq_set_worker_desc("ignored outside of items");
  uwq_tracked_lock_acquired(&lock);
  CHECK(!uwq_flush_work(&item));
  uwq_tracked_lock_released(&lock);
  CHECK_REPORT("flush under lock", "c_lock");

  int fds[2];
  CHECK(pipe(fds) == 0);
  CHECK(uwq_show_all_workqueues(rt, fds[1]) == 0);
  char text[256] = "";
  CHECK(read(fds[0], text, sizeof(text) - 1) > 0);
  CHECK(strncmp(text, "Showing busy workqueues", 23) == 0);
  CHECK(uwq_show_freezable_workqueues(rt, fds[1]) == 0);
  CHECK(read(fds[0], text, sizeof(text) - 1) > 0);
  CHECK(strncmp(text, "Showing freezable workqueues", 28) == 0);
  CHECK(uwq_show_one_workqueue(wq, fds[1]) == 0); /* idle: nothing */
  CHECK(uwq_show_all_workqueues(rt, fds[1]) == 0);
  CHECK(read(fds[0], text, sizeof(text) - 1) > 0);
  CHECK(strncmp(text, "Showing busy workqueues", 23) == 0);
  close(fds[0]);
  close(fds[1]);
  CHECK(uwq_show_all_workqueues(rt, -1) == -EBADF);
  uwq_set_debug_objects(true);
  uwq_set_debug_objects(false);
  uwq_destroy_workqueue(wq);
}

int main(void) {
  uwq_set_report_handler(on_report, &report_count);
  errno = 0;
  CHECK(uwq_runtime_create(0, 3) == NULL && errno == EINVAL);
  CHECK(uwq_runtime_create(-1, -1) == NULL && errno == EINVAL);
  CHECK(uwq_runtime_create(2, 600) == NULL && errno == EINVAL);
  struct uwq_runtime* rt = uwq_runtime_create(1, 2);
  CHECK(rt != NULL && uwq_runtime_nr_cpus(rt) == 2);

  const struct {
    unsigned flags;
    bool ordered;
  } kinds[] = {
      {UWQ_PERCPU, false}, {UWQ_UNBOUND, false}, {0, true}, {UWQ_UNBOUND | UWQ_MEM_RECLAIM, false}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); ++i) {
    struct uwq_workqueue* wq = kinds[i].ordered
                                   ? uwq_alloc_ordered_workqueue(rt, "c", kinds[i].flags)
                                   : uwq_alloc_workqueue(rt, "c", kinds[i].flags, 0);
    CHECK(wq != NULL);
    test_items(rt, wq);
    test_bad_items(wq);
    uwq_destroy_workqueue(wq);
  }
  struct uwq_workqueue* bh = uwq_alloc_workqueue(rt, "bh", UWQ_BH, 0);
  CHECK(bh != NULL);
  struct uwq_work item;
  uwq_init_work(&item, count);
  CHECK(uwq_queue_work(bh, &item));
  uwq_flush_workqueue(bh);
  CHECK(seen_current == NULL);
  uwq_destroy_workqueue(bh);

  test_queues(rt);
  test_system_queues(rt);
  test_surroundings(rt);
  uwq_runtime_destroy(rt);
  CHECK(report_count == 0);
  if (report_count != 0) printf("  last: %s: %s\n", last_kind, last_text);
  CHECK(uwq_runtime_default() != NULL && uwq_runtime_default() == uwq_runtime_default());
  uwq_set_report_handler(NULL, NULL);
  printf("%s\n", failures == 0 ? "all C calls as promised" : "FAILED");
  return failures != 0;
}

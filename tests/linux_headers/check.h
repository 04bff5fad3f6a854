/* SPDX-License-Identifier: BSD-3-Clause
 *
 * check.h -- what the C test programs of this folder share: checks, reports, a main.
 *
 * C, because the headers under test are meant for C first.  Invariant: every check is
 * counted, and a program that made none fails.
 */
#ifndef UWQ_TESTS_LINUX_HEADERS_CHECK_H_
#define UWQ_TESTS_LINUX_HEADERS_CHECK_H_

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/workqueue.h>
#include <stdio.h>
#include <string.h>

static atomic_t checks_made, checks_failed;

#define CHECK(condition)                                                            \
  do {                                                                              \
    atomic_inc(&checks_made);                                                       \
    if (!(condition)) {                                                             \
      atomic_inc(&checks_failed);                                                   \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
    }                                                                               \
  } while (0)
#define CHECK_EQ(got, want)                                                                    \
  do {                                                                                         \
    long long got_ = (long long)(got), want_ = (long long)(want);                              \
    atomic_inc(&checks_made);                                                                  \
    if (got_ != want_) {                                                                       \
      atomic_inc(&checks_failed);                                                              \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, got_, want_); \
    }                                                                                          \
  } while (0)
/* Waits for an event; one that never comes ends the program. */
#define CHECK_UNTIL(condition)                                             \
  do {                                                                     \
    s64 give_up_ = ktime_get() + 60 * NSEC_PER_SEC;                        \
    while (!(condition) && ktime_get() < give_up_) usleep_range(200, 500); \
    CHECK(condition);                                                      \
  } while (0)

/* The text of the latest report, and their number. */
static char last_report[512];
static atomic_t reports;
static inline void note_report(const char *kind, const char *text, void *arg) {
  (void)arg;
  snprintf(last_report, sizeof(last_report), "%s: %s", kind, text);
  atomic_inc_return(&reports);
}
#define CHECK_REPORTED(words)                                                      \
  do {                                                                             \
    CHECK(atomic_read(&reports) > 0);                                              \
    if (!strstr(last_report, words)) fprintf(stderr, "report: %s\n", last_report); \
    CHECK(strstr(last_report, words) != NULL);                                     \
    atomic_set(&reports, 0);                                                       \
    last_report[0] = '\0';                                                         \
  } while (0)
#define CHECK_NOT_REPORTED()                                                 \
  do {                                                                       \
    if (atomic_read(&reports)) fprintf(stderr, "report: %s\n", last_report); \
    CHECK_EQ(atomic_read(&reports), 0);                                      \
  } while (0)

#define RUN_TESTS(...)                                                         \
  int main(void) {                                                             \
    void (*tests[])(void) = {__VA_ARGS__};                                     \
    size_t i;                                                                  \
    uwq_set_report_handler(note_report, NULL);                                 \
    for (i = 0; i < ARRAY_SIZE(tests); i++) {                                  \
      uwq_reset_reports();                                                     \
      atomic_set(&reports, 0);                                                 \
      tests[i]();                                                              \
    }                                                                          \
    fprintf(stderr, "%d checks, %d failed\n", atomic_read(&checks_made),       \
            atomic_read(&checks_failed));                                      \
    return atomic_read(&checks_made) == 0 || atomic_read(&checks_failed) != 0; \
  }

#endif /* UWQ_TESTS_LINUX_HEADERS_CHECK_H_ */

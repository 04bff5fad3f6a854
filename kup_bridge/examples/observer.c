/* SPDX-License-Identifier: BSD-3-Clause */
/* Watches a channel from outside, read-only: state, counters, records as they pass by. */
#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

/* observer [NAME]: without a name it makes a device of its own to look at. */
int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "fake:watched";
  struct kupdev_softc *sc = NULL;
  struct kup_observer *observer;
  struct kup_stats stats;
  struct kup_rec rec;
  char payload[64];
  if (argc == 1) MUST(kupdev_open(name, NULL, &sc));
  MUST(kup_observe(name, 0, &observer));
  if (sc) {
    MUST(kupdev_post(sc, 0, 1, "hello", 5));
    MUST(kupdev_post(sc, 0, 2, "world", 5));
  }
  int records = 0;
  while (MUST(kup_observer_next(observer, &rec, payload, sizeof payload)) == 1) {
    printf("seq %u type %u, %u bytes\n", rec.seq, rec.type, rec.len);
    records++;
  }
  kup_observer_stats(observer, &stats);
  printf("%s, generation %u: %llu records, %llu dropped, %llu bytes not released\n",
         kup_state_name(stats.state), stats.generation, (unsigned long long)stats.dev_records,
         (unsigned long long)stats.dev_dropped_records, (unsigned long long)stats.pending);
  kup_unobserve(observer);
  if (sc == NULL) return 0;
  MUST(kupdev_unload(sc));
  return records == 2 ? 0 : 1;
}

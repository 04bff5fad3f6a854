/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parameters that the user changes as often as it likes, counters that the device
 * updates as often as it likes: no message, no system call in either direction.
 */
#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

enum { GAIN = 0, OFFSET = 1 };          /* parameters */
enum { INTERRUPTS = 0, UNDERRUNS = 1 }; /* counters of a group */

int main(void) {
  struct kupdev_opts opts = {.n_params = 2, .n_groups = 4}; /* four instances of the counters */
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  uint64_t seen[2];
  MUST(kupdev_open("fake:control", &opts, &sc));
  MUST(kup_open("fake:control", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  for (uint64_t i = 1; i <= 1000; i++) {
    MUST(kup_param_set(ch, GAIN, i)); /* the user's control loop */
    MUST(kup_param_set(ch, OFFSET, 2 * i));

    uint64_t gain = kupdev_param(sc, 0, GAIN); /* the device's interrupt handler */
    uint64_t counters[2] = {i, gain / 100};
    for (uint32_t instance = 0; instance < 4; instance++) {
      MUST(kupdev_counters_set(sc, 0, instance, counters, 2));
    }
  }
  /* -EAGAIN only if the device writes without a pause; both values are of one update. */
  while (kup_counters_get(ch, 3, seen, 2) != 0) {
  }
  printf("interrupts %llu, underruns %llu\n", (unsigned long long)seen[INTERRUPTS],
         (unsigned long long)seen[UNDERRUNS]);
  kup_close(dev);
  MUST(kupdev_unload(sc));
  return seen[INTERRUPTS] == 1000 && seen[UNDERRUNS] == 10 ? 0 : 1;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Several producers in the device, one queue to the user; each record says who sent it. */
#include <pthread.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

enum { PRODUCERS = 3, EACH = 1000 };

static struct kupdev_softc *sc;

static void *produce(void *arg) { /* in a kernel: an interrupt handler, a timer, a thread */
  for (uint32_t i = 0; i < EACH; i++) {
    struct kup_vec msg = {&i, sizeof i, 1, 0, (uint32_t)(uintptr_t)arg};
    MUST(kupdev_post_wait(sc, 0, &msg, -1)); /* kupdev_post where one must not sleep */
  }
  return NULL;
}

int main(void) {
  struct kup_dev *dev;
  struct kup_chan *ch;
  pthread_t threads[PRODUCERS];
  uint32_t next[PRODUCERS] = {0};
  MUST(kupdev_open("fake:many", NULL, &sc));
  MUST(kup_open("fake:many", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  for (uintptr_t i = 0; i < PRODUCERS; i++) {
    MUST(-pthread_create(&threads[i], NULL, produce, (void *)i));
  }
  for (int left = PRODUCERS * EACH; left > 0;) {
    struct kup_msg msgs[64];
    int n = MUST(kup_receive_batch(ch, msgs, 64, -1));
    for (int i = 0; i < n; i++) {
      uint32_t value;
      memcpy(&value, msgs[i].data, sizeof value);
      if (value != next[msgs[i].id]++) return 1; /* in order per producer */
    }
    MUST(kup_release(ch, msgs, n));
    left -= n;
  }
  for (int i = 0; i < PRODUCERS; i++) pthread_join(threads[i], NULL);
  printf("%d messages of %d producers, each in order\n", PRODUCERS * EACH, PRODUCERS);
  kup_close(dev);
  return kupdev_unload(sc);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A command queue and a reply queue: many commands under way, replies in any order, by id. */
#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

enum { SQUARE = 1, COMMANDS = 32 };

int main(void) {
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  struct kup_msg msgs[COMMANDS], reply;
  MUST(kupdev_open("fake:commands", NULL, &sc));
  MUST(kup_open("fake:commands", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  for (uint32_t id = 0; id < COMMANDS; id++) MUST(kup_request(ch, SQUARE, id, &id, sizeof id));

  int n = MUST(kupdev_take_batch(sc, 0, msgs, COMMANDS, -1)); /* the device */
  for (int i = n - 1; i >= 0; i--) {                          /* finishes them backwards */
    uint32_t x;
    memcpy(&x, msgs[i].data, sizeof x); /* once: the user may change it under us */
    x *= x;
    MUST(kupdev_reply(sc, 0, &msgs[i], 0, &x, sizeof x));
    MUST(kupdev_give_back(sc, 0, &msgs[i], 1)); /* out of order, too */
  }

  for (int i = 0; i < n; i++) { /* the user */
    uint32_t x;
    MUST(kup_receive(ch, &reply, -1));
    memcpy(&x, reply.data, sizeof x);
    if (!(reply.flags & KUP_REC_REPLY) || x != reply.id * reply.id) return 1;
    MUST(kup_release(ch, &reply, 1));
  }
  printf("%d commands answered by id\n", n);
  kup_close(dev);
  return MUST(kupdev_unload(sc)) == 0 && n == COMMANDS ? 0 : 1;
}

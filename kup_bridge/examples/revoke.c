/* SPDX-License-Identifier: BSD-3-Clause */
/* The device takes its memory back while the user writes: no SIGBUS, an error, a new start. */
#include <errno.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

int main(void) {
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  struct kup_msg msg;
  MUST(kupdev_open("fake:revoke", NULL, &sc));
  MUST(kup_open("fake:revoke", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  void *room;
  MUST(kup_reserve(ch, 1000, &room)); /* the user is in the middle of a message */
  MUST(kupdev_revoke(sc, 0));
  memset(room, 0xff, 1000); /* goes nowhere, harms nobody */
  MUST(kup_commit(ch, 1000, 1, 0));
  int rc = kup_receive(ch, &msg, -1);
  printf("after revocation: %s (%s)\n", strerror(-rc), kup_error_text());
  if (rc != -ENODEV || kupdev_take(sc, 0, &msg, 0) == 0) return 1;
  kup_detach(ch);
  MUST(kup_attach(dev, 0, 1000, &ch)); /* the next generation */
  MUST(kup_send(ch, 1, "again", 5, 0));
  MUST(kupdev_take(sc, 0, &msg, -1));
  printf("then: %.*s\n", (int)msg.len, (const char *)msg.data);
  MUST(kupdev_give_back(sc, 0, &msg, 1));
  kup_close(dev);
  return kupdev_unload(sc);
}

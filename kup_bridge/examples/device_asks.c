/* SPDX-License-Identifier: BSD-3-Clause */
/* The device asks, user code answers by id: a key from a store that only user space has. */
#include <errno.h>
#include <pthread.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

enum { GET_KEY = 1 };

static void *user(void *arg) {
  struct kup_chan *ch = arg;
  struct kup_msg msg;
  while (kup_receive(ch, &msg, -1) == 0) { /* ends when the device is unloaded */
    if (msg.type == GET_KEY && msg.len == 4 && memcmp(msg.data, "hdcp", 4) == 0) {
      MUST(kup_reply(ch, &msg, 0, "secret", 6));
    } else if (msg.flags & KUP_REC_REQUEST) {
      MUST(kup_reply(ch, &msg, 1, NULL, 0)); /* refused */
    }
    MUST(kup_release(ch, &msg, 1));
  }
  return NULL;
}

int main(void) {
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  pthread_t thread;
  char key[16] = "";
  MUST(kupdev_open("fake:keys", NULL, &sc));
  MUST(kup_open("fake:keys", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  MUST(-pthread_create(&thread, NULL, user, ch));
  int len = MUST(kupdev_call(sc, 0, GET_KEY, "hdcp", 4, key, sizeof key, 5000));
  printf("key of %d bytes: %s\n", len, key);
  int refused = kupdev_call(sc, 0, GET_KEY, "else", 4, key, sizeof key, 5000);
  printf("another: %s\n", strerror(-refused));
  MUST(kupdev_unload(sc));
  pthread_join(thread, NULL);
  kup_close(dev);
  return len == 6 && refused == -EREMOTEIO ? 0 : 1;
}

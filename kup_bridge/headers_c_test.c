/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * headers_c_test.c -- every public header of KUP alone in strict C11, the layout
 * assertions of kup_abi.h included, and a channel used from C end to end.
 */
#include "kup_bridge/kup_abi.h"
/* First alone: it must not need what the others bring. */
#include <stdio.h>
#include <string.h>

#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"
#include "kup_bridge/ring.h"

#define CHECK(cond)                                              \
  do {                                                           \
    if (!(cond)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
      return 1;                                                  \
    }                                                            \
  } while (0)

int main(void) {
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  struct kup_msg msg;

  CHECK(kupdev_open("fake:c", NULL, &sc) == 0);
  CHECK(kup_open("fake:c", &dev) == 0);
  CHECK(kup_attach(dev, 0, 0, &ch) == 0);
  CHECK(kupdev_post(sc, 0, 3, "from C", 7) == 0);
  CHECK(kup_receive(ch, &msg, -1) == 0);
  CHECK(msg.type == 3 && strcmp(msg.data, "from C") == 0);
  CHECK(kup_release(ch, &msg, 1) == 0);
  CHECK(kernproxy_errno == EKU_NONE);
  kup_close(dev);
  return kupdev_unload(sc);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A device that answers requests and ticks, in a process: reach it as sim:ping. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kup_bridge/kupdev.h"

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "sim:ping";
  struct kupdev_softc *sc;
  int rc = kupdev_open(name, NULL, &sc);
  if (rc != 0) {
    fprintf(stderr, "%s: %s\n", name, strerror(-rc));
    return 1;
  }
  printf("%s is ready\n", name);
  fflush(stdout);
  for (;;) {
    struct kup_msg msg;
    rc = kupdev_take(sc, 0, &msg, 1000);
    if (rc == -ETIMEDOUT) {
      (void)kupdev_post(sc, 0, 1, "tick", 5); /* full: counted, and told in band */
      continue;
    }
    if (rc == -EPIPE || rc == -EBADMSG) { /* this user is done; wait for the next */
      struct kupdev_event event;
      do {
        rc = kupdev_wait_event(sc, &event, -1);
      } while (rc == 0 && event.kind != KUPDEV_ATTACHED);
      continue;
    }
    if (rc != 0) break;
    if (msg.flags & KUP_REC_REQUEST) (void)kupdev_reply(sc, 0, &msg, 0, msg.data, msg.len);
    (void)kupdev_give_back(sc, 0, &msg, 1);
  }
  return kupdev_unload(sc);
}

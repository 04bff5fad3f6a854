/* SPDX-License-Identifier: BSD-3-Clause */
/* The asynchronous mode: a channel in an epoll loop beside whatever else is in there. */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

static struct kupdev_softc *sc;

static void *device(void *unused) {
  (void)unused;
  for (int i = 0; i < 100; i++) {
    struct kup_vec msg = {&i, sizeof i, 1, 0, 0};
    MUST(kupdev_post_wait(sc, 0, &msg, -1));
  }
  return NULL;
}

int main(void) {
  struct kup_dev *dev;
  struct kup_chan *ch;
  pthread_t thread;
  MUST(kupdev_open("fake:loop", NULL, &sc));
  MUST(kup_open("fake:loop", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = ch}};
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, kup_fd(ch), &event));
  MUST(-pthread_create(&thread, NULL, device, NULL));
  int messages = 0, wakeups = 0;
  while (messages < 100) {
    struct kup_msg msg;
    int rc;
    /* Until -EAGAIN, which leaves the descriptor quiet and the ring armed. */
    while ((rc = kup_receive(ch, &msg, 0)) == 0) {
      messages++;
      MUST(kup_release(ch, &msg, 1));
    }
    if (rc != -EAGAIN) must(rc, "receive");
    if (messages < 100) wakeups += MUST(epoll_wait(epoll, &event, 1, -1));
  }
  printf("%d messages, %d wake-ups\n", messages, wakeups);
  pthread_join(thread, NULL);
  kup_close(dev);
  return kupdev_unload(sc);
}

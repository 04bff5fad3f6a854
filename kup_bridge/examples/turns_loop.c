/* SPDX-License-Identifier: BSD-3-Clause */
/* turns_loop.c -- KUP's own calls without blocking: turns in an epoll loop. */
#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

static struct kupdev_softc *sc;

static void *device(void *unused) {
  int ch = MUST(kupdev_wait_channel(sc));
  (void)unused;
  for (int i = 0; i < 100; i++) {
    int *answer;
    MUST(kupdev_send(sc, &i, sizeof i, ch));
    answer = kupdev_receive(sc, ch);
    MUST(answer ? 0 : kupdev_error(sc, ch));
    if (*answer != i + 1) must(-EBADMSG, "answer");
    kupdev_unlock_channel(sc, ch);
  }
  return NULL;
}

int main(void) {
  pthread_t thread;
  sc = kupdev_create("fake:turns_loop", 1, 1); /* a page each way, one channel */
  MUST(sc ? 0 : -ENOMEM);
  void *handle = kernproxy_open("fake:turns_loop");
  void *channel = handle ? kernproxy_channel(handle, 0, 1) : NULL;
  MUST(channel ? 0 : -ENODEV);
  MUST(-pthread_create(&thread, NULL, device, NULL));
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = channel}};
  MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, kernproxy_fd(channel), &event));
  for (int turns = 0; turns < 100;) {
    int *question = kernproxy_receive(channel, KP_NB);
    if (question) {
      int answer = *question + 1;
      MUST(kernproxy_send(channel, &answer, sizeof answer, KP_NB));
      turns++;
    } else if (kernproxy_errno == EKU_NOTREADY) {
      MUST(epoll_wait(epoll, &event, 1, -1));
    } else {
      must(-EPIPE, "receive");
    }
  }
  pthread_join(thread, NULL);
  kernproxy_close(handle);
  return kupdev_unload(sc);
}

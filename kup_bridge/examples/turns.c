/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * turns.c -- KUP's own calls on both sides: one message at a time, in turns.  After an
 * attach it is the device's turn.
 */
#include <errno.h>
#include <pthread.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

static void *user(void *unused) {
  void *handle = kernproxy_open("fake:turns");
  void *channel = handle ? kernproxy_channel(handle, 0, 1) : NULL;
  char *question;

  (void)unused;
  MUST(channel ? 0 : -ENODEV);
  question = kernproxy_receive(channel, KP_EMPTY); /* in place, until the next call */
  MUST(question ? 0 : -EPIPE);
  printf("the device asks: %s\n", question);
  MUST(kernproxy_send(channel, "blue", 5, KP_EMPTY));
  kernproxy_close(handle);
  return NULL;
}

int main(void) {
  struct kupdev_softc *sc = kupdev_create("fake:turns", 1, 1); /* a page each way, one channel */
  char question[] = "colour?", *answer;
  pthread_t thread;
  int ch;

  MUST(sc ? 0 : -ENOMEM);
  MUST(-pthread_create(&thread, NULL, user, NULL));
  ch = MUST(kupdev_wait_channel(sc));
  MUST(kupdev_send(sc, question, sizeof(question), ch));
  answer = kupdev_receive(sc, ch);
  MUST(answer ? 0 : kupdev_error(sc, ch));
  printf("the user answers: %s\n", answer);
  kupdev_unlock_channel(sc, ch);
  pthread_join(thread, NULL);
  return kupdev_unload(sc);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks the device of ping_device.c (or /dev/kup-NAME) and prints what it says. */
#include <stdio.h>

#include "kup_bridge/kup.h"

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "sim:ping";
  struct kup_dev *dev;
  struct kup_chan *ch;
  struct kup_msg msg;
  char reply[64];
  if (kup_open(name, &dev) != 0 || kup_attach(dev, 0, 1000, &ch) != 0) {
    fprintf(stderr, "%s\n", kup_error_text());
    return 1;
  }
  int len = kup_call(ch, 7, "hello", 6, reply, sizeof reply, 1000);
  if (len < 0) {
    fprintf(stderr, "%s\n", kup_error_text());
    return 1;
  }
  printf("reply of %d bytes: %s\n", len, reply);
  while (kup_receive(ch, &msg, 0) == 0) { /* what it posted meanwhile */
    printf("message of type %u: %s\n", msg.type, (const char *)msg.data);
    kup_release(ch, &msg, 1);
  }
  kup_close(dev);
  return 0;
}

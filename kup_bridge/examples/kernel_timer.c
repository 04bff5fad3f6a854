/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of the running kernel without a module: a kernel timer, through BPF. */
#include <errno.h>
#include <time.h>

#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kup_bpf.h"

/* kernel_timer [SOURCE]: e.g. bpf:trace/sched_switch */
int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "bpf:timer/1000";
  struct kup_dev *dev;
  struct kup_chan *ch;
  struct kup_msg msg;
  int rc = kup_open(name, &dev);
  if (rc == -EACCES) { /* not root, or a machine that forbids BPF: the text says which */
    printf("%s\n", kup_error_text());
    return strstr(kup_error_text(), "not permitted") ? 0 : 1;
  }
  MUST(rc);
  MUST(kup_attach(dev, 0, 0, &ch));
  for (int i = 0; i < 10; i++) {
    struct kup_bpf_event event;
    struct timespec now;
    MUST(kup_receive(ch, &msg, -1));
    clock_gettime(CLOCK_MONOTONIC, &now); /* the kernel's stamp is of the same clock */
    if (msg.type != KUP_TYPE_LOST) {
      memcpy(&event, msg.data, sizeof event);
      printf("type %u, %llu ns ago, on CPU %u, in %.16s\n", msg.type,
             now.tv_sec * 1000000000ull + now.tv_nsec - event.time_ns, event.cpu, event.comm);
    }
    MUST(kup_release(ch, &msg, 1));
  }
  kup_close(dev);
  return 0;
}

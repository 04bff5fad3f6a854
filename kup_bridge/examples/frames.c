/* SPDX-License-Identifier: BSD-3-Clause */
/* Video frames of 4 MiB: written once by the device, read once by the user, never copied. */
#include "kup_bridge/examples/example.h"
#include "kup_bridge/kup.h"
#include "kup_bridge/kupdev.h"

enum { FRAME = 4 << 20, FRAMES = 30, TYPE_FRAME = 1 };

int main(void) {
  struct kupdev_opts opts = {.n_frames_d2u = 3, .frame_size = FRAME};
  struct kupdev_softc *sc;
  struct kup_dev *dev;
  struct kup_chan *ch;
  MUST(kupdev_open("fake:video", &opts, &sc));
  MUST(kup_open("fake:video", &dev));
  MUST(kup_attach(dev, 0, 0, &ch));
  for (uint64_t n = 0; n < FRAMES; n++) {
    struct kup_frame out, in;
    struct kup_msg msg;
    MUST(kupdev_frame_get(sc, 0, &out, -1)); /* device: a free buffer, filled in place */
    memset(out.data, (int)n, out.size);
    MUST(kupdev_frame_send(sc, 0, &out, TYPE_FRAME, FRAME, n));

    MUST(kup_receive(ch, &msg, -1)); /* user: a descriptor of 24 bytes comes through the ring */
    MUST(kup_frame_open(ch, &msg, &in));
    if (in.cookie != n || ((const unsigned char *)in.data)[FRAME - 1] != n) return 1;
    MUST(kup_release(ch, &msg, 1));
    MUST(kup_frame_return(ch, &in)); /* one store: the device may fill it again */
  }
  printf("%d frames of %d MiB\n", FRAMES, FRAME >> 20);
  kup_close(dev);
  return kupdev_unload(sc);
}

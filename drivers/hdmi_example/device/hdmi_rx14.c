/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_rx14.c: the HDCP receiver of the simulated sink: the whole of 1.4, and the
 * mailbox of 2.2 whose protocol is behind hdmi_device_ops.
 *
 * Invariant: the receiver leaves "unauthenticated" only by a write of the last
 * byte of Aksv, and R0' is 0 until its computation is said to be done.  Its
 * frames count from the moment at which it is authenticated and the transmitter
 * encrypts, on the transmitter's own frame clock.
 *
 * Read on: ../hdcp/hdcp14_cipher.h, ../hdcp/hdcp_regs.h.
 */
#include "drivers/hdmi_example/device/hdmi_device_int.h"

#define RX_COUNTERFEIT_SEED 0xbadbadbadULL
#define RX_DOWNSTREAM_INDEX 1000u /* of the first device behind a repeater */

static const struct hdmi_sink_req *sink_req(const struct hdmi_device *dev) {
  return &dev->sink[dev->slot].req;
}

void hdmi_sink_keys(struct hdmi_device *dev, bool counterfeit) {
  const struct hdmi_sink_req *req = sink_req(dev);
  uint64_t seed = req->authority != 0 ? req->authority : dev->authority;

  if (counterfeit) seed ^= RX_COUNTERFEIT_SEED;
  hdcp14_authority_device(seed, req->device, &dev->rx.keys);
}

void hdmi_rx14_reset(struct hdmi_device *dev) {
  struct hdmi_hdcp22_out none[1];
  struct hdmi_rx14 *rx = &dev->rx;

  hdmi_timer_cancel(dev, HDMI_T_R0_READY);
  hdmi_timer_cancel(dev, HDMI_T_READY);
  hdmi_timer_cancel(dev, HDMI_T_HDCP22);
  memset(&rx->link, 0, sizeof(rx->link));
  rx->state = HDMI_RX_UNAUTH;
  rx->ready = 0;
  rx->fifo_len = 0;
  rx->bstatus = 0;
  rx->ainfo = 0;
  rx->enc_since_ns = HDMI_DEV_NEVER;
  memset(rx->an, 0, sizeof(rx->an));
  memset(rx->aksv, 0, sizeof(rx->aksv));
  memset(rx->v, 0, sizeof(rx->v));
  memset(&dev->rx22, 0, sizeof(dev->rx22));
  if (dev->ops.hdcp22_handle != NULL)
    (void)dev->ops.hdcp22_handle(dev->ops.hdcp22_ctx, dev->slot, NULL, 0, none, 0);
}

/* ---- authentication ---- */

static void authenticate(struct hdmi_device *dev) {
  struct hdmi_rx14 *rx = &dev->rx;
  const uint64_t aksv = hdcp14_get_le(rx->aksv, sizeof(rx->aksv));

  hdcp14_link_start(&rx->link, hdcp14_km(rx->keys.keys, aksv),
                    (sink_req(dev)->flags & HDMI_SINK_REPEATER) != 0,
                    hdcp14_get_le(rx->an, sizeof(rx->an)));
  rx->state = HDMI_RX_COMPUTING;
  rx->ready = 0;
  rx->fifo_len = 0;
  rx->enc_since_ns = HDMI_DEV_NEVER;
  if (!dev->fault.ri_bad_sticky) dev->fault.ri_bad = 0;
  hdmi_timer_cancel(dev, HDMI_T_R0_READY);
  hdmi_timer_cancel(dev, HDMI_T_READY);
  hdmi_timer_set(dev, HDMI_T_R0_READY, dev->now_ns + dev->fault.r0_delay_ns, 0, 0);
  hdmi_moment(dev, HDMI_WHEN_AKSV, 0);
}

/* Puts the list together and hashes it. */
static void assemble_list(struct hdmi_device *dev) {
  const struct hdmi_sink_req *req = sink_req(dev);
  struct hdmi_rx14 *rx = &dev->rx;
  uint8_t message[sizeof(rx->fifo) + 10];
  uint8_t digest[20];
  uint32_t count = req->downstream, i;

  if (dev->fault.bstatus_count >= 0) count = (uint32_t)dev->fault.bstatus_count;
  if (count > HDCP14_DEVICES_MAX) count = HDCP14_DEVICES_MAX;
  for (i = 0; i < count; i++) {
    const uint64_t ksv =
        hdcp14_authority_ksv(dev->authority, RX_DOWNSTREAM_INDEX * (dev->slot + 1u) + i);

    hdcp14_put_le(ksv, &rx->fifo[i * HDCP14_KSV_BYTES], HDCP14_KSV_BYTES);
  }
  rx->fifo_len = (uint16_t)(count * HDCP14_KSV_BYTES);
  rx->bstatus =
      (uint16_t)(count | req->depth << HDCP14_BSTATUS_DEPTH_SHIFT | dev->fault.bstatus_bits |
                 ((dev->mode.flags & HDMI_MODE_HDMI) ? HDCP14_BSTATUS_HDMI_MODE : 0));
  memcpy(message, rx->fifo, rx->fifo_len);
  hdcp14_put_le(rx->bstatus, &message[rx->fifo_len], 2);
  hdcp14_put_le(rx->link.m0, &message[rx->fifo_len + 2], 8);
  dev->ops.sha1(message, (size_t)rx->fifo_len + 10, digest);
  /* The words of the digest appear least significant byte first. */
  for (i = 0; i < 20; i++) rx->v[i] = digest[(i & ~3u) + 3 - (i & 3)];
  rx->ready = 1;
}

void hdmi_rx14_timer(struct hdmi_device *dev, unsigned int kind) {
  struct hdmi_rx14 *rx = &dev->rx;

  if (kind == HDMI_T_READY) {
    assemble_list(dev);
    return;
  }
  rx->state = HDMI_RX_AUTH;
  if (dev->encrypt) rx->enc_since_ns = dev->now_ns;
  if ((sink_req(dev)->flags & HDMI_SINK_REPEATER) && dev->fault.ready_delay_ns >= 0)
    hdmi_timer_set(dev, HDMI_T_READY, dev->now_ns + dev->fault.ready_delay_ns, 0, 0);
}

void hdmi_rx14_downstream(struct hdmi_device *dev, uint32_t devices, uint32_t depth) {
  struct hdmi_sink_req *req = &dev->sink[dev->slot].req;

  req->downstream = devices > HDCP14_DEVICES_MAX ? HDCP14_DEVICES_MAX : devices;
  req->depth = depth > HDCP14_DEPTH_MAX ? HDCP14_DEPTH_MAX : depth;
}

void hdmi_rx14_encrypt(struct hdmi_device *dev, bool on) {
  struct hdmi_rx14 *rx = &dev->rx;

  /* What was counted so far stays counted; a new run begins at its own zero
   * only after a new authentication, so Ri' simply stops. */
  if (!on) {
    rx->enc_since_ns = HDMI_DEV_NEVER;
  } else if (rx->state == HDMI_RX_AUTH) {
    rx->enc_since_ns = dev->now_ns;
  }
}

/* ---- registers ---- */

static uint8_t bcaps(const struct hdmi_device *dev) {
  const uint32_t flags = sink_req(dev)->flags;

  return (uint8_t)(HDCP14_BCAPS_HDMI | ((flags & HDMI_SINK_REPEATER) ? HDCP14_BCAPS_REPEATER : 0) |
                   (dev->rx.ready ? HDCP14_BCAPS_READY : 0) |
                   ((flags & HDMI_SINK_FEATURES_1_1) ? HDCP14_BCAPS_1_1_FEATURES : 0));
}

/* True if a read of len bytes from `from` covers register `reg`. */
static bool covers(uint8_t from, unsigned int len, unsigned int reg) {
  return from <= reg && from + len > reg;
}

static void fill_1x(struct hdmi_device *dev, uint8_t from, unsigned int len, uint8_t *image) {
  struct hdmi_rx14 *rx = &dev->rx;
  uint16_t status = rx->bstatus;

  hdcp14_put_le(rx->keys.ksv, &image[HDCP14_REG_BKSV], 5);
  if (covers(from, len, HDCP14_REG_BKSV) && hdmi_fault_strikes(&dev->fault.bksv_bad)) {
    unsigned int i;

    /* One more 1: the lowest 0 of the KSV. */
    for (i = 0; i < 40 && ((rx->keys.ksv >> i) & 1); i++) {
    }
    image[HDCP14_REG_BKSV + i / 8] |= (uint8_t)(1u << (i % 8));
  }
  if (rx->state == HDMI_RX_AUTH) {
    hdcp14_link_advance(&rx->link, hdmi_frames_since(dev, rx->enc_since_ns));
    hdcp14_put_le(rx->link.ri, &image[HDCP14_REG_RI], 2);
    image[HDCP14_REG_PJ] = hdcp14_link_pj(&rx->link, 0);
    if (covers(from, len, HDCP14_REG_RI) && hdmi_fault_strikes(&dev->fault.ri_bad))
      image[HDCP14_REG_RI] ^= 0x55;
  }
  image[HDCP14_REG_AINFO] = rx->ainfo;
  memcpy(&image[HDCP14_REG_V], rx->v, sizeof(rx->v));
  if (covers(from, len, HDCP14_REG_V) && hdmi_fault_strikes(&dev->fault.v_bad))
    image[HDCP14_REG_V + 7] ^= 0x20;
  image[HDCP14_REG_BCAPS] = bcaps(dev);
  if (!rx->ready && (dev->mode.flags & HDMI_MODE_HDMI)) status |= HDCP14_BSTATUS_HDMI_MODE;
  hdcp14_put_le(status, &image[HDCP14_REG_BSTATUS], 2);
}

static uint16_t status_22(const struct hdmi_device *dev) {
  const struct hdmi_rx22 *rx22 = &dev->rx22;
  uint16_t status = rx22->reauth ? HDCP22_STATUS_REAUTH : 0;

  if (rx22->available && rx22->next < rx22->nr) {
    status |= (uint16_t)(rx22->out[rx22->next].len & HDCP22_STATUS_SIZE_MASK);
    /* Only the list of receiver IDs raises READY. */
    if (rx22->out[rx22->next].bytes[0] == 12) status |= HDCP22_STATUS_READY;
  }
  return status;
}

static void read_22(struct hdmi_device *dev, uint8_t *bytes, unsigned int len) {
  struct hdmi_rx22 *rx22 = &dev->rx22;
  struct hdmi_hdcp22_out *out;
  unsigned int n;

  memset(bytes, 0, len);
  if (!rx22->available || rx22->next >= rx22->nr) return;
  out = &rx22->out[rx22->next];
  n = out->len < len ? out->len : len;
  memcpy(bytes, out->bytes, n);
  rx22->next++;
  rx22->available = 0;
  if (rx22->next < rx22->nr)
    hdmi_timer_set(dev, HDMI_T_HDCP22, dev->now_ns + rx22->out[rx22->next].delay_ns, 0, 0);
}

/* Takes `nr` fresh messages that stand in rx22.out: delays and faults apply. */
void hdmi_rx22_post(struct hdmi_device *dev, int nr) {
  struct hdmi_rx22 *rx22 = &dev->rx22;
  int i;

  hdmi_timer_cancel(dev, HDMI_T_HDCP22);
  if (nr < 0) rx22->reauth = 1;
  rx22->nr = (uint8_t)(nr < 0 ? 0 : nr);
  rx22->next = rx22->available = 0;
  for (i = 0; i < rx22->nr; i++) {
    struct hdmi_hdcp22_out *out = &rx22->out[i];
    const unsigned int id = out->bytes[0] & 31u;

    if (dev->fault.hdcp22_delay_ns[id] >= 0) out->delay_ns = dev->fault.hdcp22_delay_ns[id];
    if (out->len > 1 && out->len <= sizeof(out->bytes) &&
        hdmi_fault_strikes(&dev->fault.hdcp22_bad[id]))
      out->bytes[out->len - 1] ^= 1;
  }
  if (rx22->nr > 0) hdmi_timer_set(dev, HDMI_T_HDCP22, dev->now_ns + rx22->out[0].delay_ns, 0, 0);
}

void hdmi_rx_read(struct hdmi_device *dev, uint8_t from, uint8_t *bytes, unsigned int len) {
  const uint32_t flags = sink_req(dev)->flags;
  uint8_t image[256] = {0};
  unsigned int i;

  if (from == HDCP14_REG_FIFO) {
    /* No auto-increment: one read streams the list from its first KSV. */
    for (i = 0; i < len; i++) bytes[i] = i < dev->rx.fifo_len ? dev->rx.fifo[i] : 0;
    return;
  }
  if (from == HDCP22_REG_READ && (flags & HDMI_SINK_HDCP22)) {
    read_22(dev, bytes, len);
    return;
  }
  if (flags & HDMI_SINK_HDCP14) fill_1x(dev, from, len, image);
  if (flags & HDMI_SINK_HDCP22) {
    image[HDCP22_REG_VERSION] = dev->ops.hdcp22_handle != NULL ? HDCP22_VERSION_2_2 : 0;
    hdcp14_put_le(status_22(dev), &image[HDCP22_REG_STATUS], 2);
  }
  for (i = 0; i < len; i++) bytes[i] = image[(uint8_t)(from + i)];
}

void hdmi_rx_write(struct hdmi_device *dev, const uint8_t *bytes, unsigned int len) {
  struct hdmi_rx14 *rx = &dev->rx;
  unsigned int i;

  dev->ddc_offset[HDMI_DDC_ADDR_HDCP] = bytes[0];
  if (bytes[0] == HDCP22_REG_WRITE && len > 1) {
    if (!(sink_req(dev)->flags & HDMI_SINK_HDCP22) || dev->ops.hdcp22_handle == NULL) return;
    dev->rx22.reauth = bytes[1] == 2 ? 0 : dev->rx22.reauth; /* AKE_Init starts over */
    hdmi_rx22_post(dev, dev->ops.hdcp22_handle(dev->ops.hdcp22_ctx, dev->slot, bytes + 1, len - 1,
                                               dev->rx22.out, 3));
    return;
  }
  if (!(sink_req(dev)->flags & HDMI_SINK_HDCP14)) return;
  for (i = 1; i < len; i++) {
    const unsigned int reg = bytes[0] + i - 1;

    if (reg >= HDCP14_REG_AN && reg < HDCP14_REG_AN + 8) {
      rx->an[reg - HDCP14_REG_AN] = bytes[i];
    } else if (reg >= HDCP14_REG_AKSV && reg < HDCP14_REG_AKSV + 5) {
      rx->aksv[reg - HDCP14_REG_AKSV] = bytes[i];
      /* The last byte is what starts authentication, from any state. */
      if (reg == HDCP14_REG_AKSV + 4) authenticate(dev);
    } else if (reg == HDCP14_REG_AINFO) {
      rx->ainfo = bytes[i] & HDCP14_AINFO_ENABLE_1_1;
    }
  }
}

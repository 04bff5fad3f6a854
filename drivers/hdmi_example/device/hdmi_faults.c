/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_faults.c: scripts and faults: what each operation of hdmi_inject.h does.
 * Invariant: an operation either takes effect at dev->now_ns or is refused with
 * -EINVAL; none is half done.
 * Read on: faults.h (F1..F44).
 */
#include "drivers/hdmi_example/device/hdmi_device_int.h"

void hdmi_faults_init(struct hdmi_faults *fault) {
  unsigned int i;

  memset(fault, 0, sizeof(*fault));
  fault->edid_nak_from = -1;
  fault->bstatus_count = -1;
  fault->r0_delay_ns = HDMI_R0_NS;
  fault->ready_delay_ns = HDMI_READY_NS;
  fault->cec_reply_ns = HDMI_CEC_REPLY_NS;
  fault->mode_delay_ns = HDMI_MODE_NS;
  for (i = 0; i < 32; i++) fault->hdcp22_delay_ns[i] = -1;
}

bool hdmi_trigger_add(struct hdmi_device *dev, const struct hdmi_trigger *trigger) {
  unsigned int i;

  for (i = 0; i < HDMI_DEV_TRIGGERS; i++) {
    if (dev->trigger[i].when != HDMI_WHEN_NOW) continue;
    dev->trigger[i] = *trigger;
    return true;
  }
  return false;
}

void hdmi_moment(struct hdmi_device *dev, unsigned int when, unsigned int arg) {
  unsigned int i;

  for (i = 0; i < HDMI_DEV_TRIGGERS; i++) {
    struct hdmi_trigger *t = &dev->trigger[i];

    if (t->when != when || (when == HDMI_WHEN_EDID && t->arg != arg)) continue;
    t->when = HDMI_WHEN_NOW;
    /* Through a timer even at once, so that it never runs inside the step of the
     * model that reached the moment. */
    hdmi_timer_set(dev, HDMI_T_OP + t->op, dev->now_ns + t->delay_ns, t->a, t->b);
  }
}

/* Edges at random places of the span, the last one at its end. */
static int bounce(struct hdmi_device *dev, int64_t edges, int64_t span_ns) {
  int64_t at[128];
  bool level = dev->hpd != 0;
  int64_t i, j;

  if (edges < 1 || edges > 128 || span_ns < edges || span_ns > 60 * HDMI_S) return -EINVAL;
  if (dev->nr_timers + edges > HDMI_DEV_TIMERS - HDMI_TIMERS_RESERVED) return -ENOSPC;
  for (i = 0; i + 1 < edges; i++) {
    const int64_t t = 1 + (int64_t)(hdmi_random(dev) % (uint64_t)(span_ns - 1));

    for (j = i; j > 0 && at[j - 1] > t; j--) at[j] = at[j - 1];
    at[j] = t;
  }
  at[edges - 1] = span_ns;
  for (i = 0; i < edges; i++) {
    level = !level;
    hdmi_timer_set(dev, HDMI_T_HPD_EDGE, dev->now_ns + at[i], level, 0);
  }
  return 0;
}

void hdmi_flood(struct hdmi_device *dev, int64_t left, int64_t step_ns) {
  switch (hdmi_random(dev) % 3) {
    case 0:
      hdmi_raise(dev, HDMI_EV_HPD, 4)->u.level = dev->hpd;
      break;
    case 1:
      hdmi_raise(dev, HDMI_EV_VSYNC128, 8)->u.frame = hdmi_frames_since(dev, dev->enc_since_ns);
      break;
    default: {
      struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_CEC_RX, 17);

      e->u.cec.len = 2;
      e->u.cec.bytes[0] = 0x0f;
      e->u.cec.bytes[1] = 0x85;
      break;
    }
  }
  if (left > 1) hdmi_timer_set(dev, HDMI_T_FLOOD, dev->now_ns + step_ns, left - 1, step_ns);
}

static int bad_record(struct hdmi_device *dev, int64_t which) {
  struct hdmi_event *e;
  unsigned int i;

  if (which < 0 || which > 4) return -EINVAL;
  e = hdmi_raise(dev, HDMI_EV_HPD, 4);
  e->u.level = dev->hpd;
  switch (which) {
    case 0:
      e->type = 0xfffe;
      break;
    case 1:
      e->len = 0xffff;
      break;
    case 2:
      e->seq -= 7;
      break;
    case 3:
      e->generation += 41;
      break;
    default:
      for (i = 0; i < HDMI_RECORD_BYTES; i++) ((uint8_t *)e)[i] = (uint8_t)hdmi_random(dev);
      break;
  }
  return 0;
}

static int dead(struct hdmi_device *dev, bool on) {
  if (on == (dev->dead != 0)) return 0;
  if (on) {
    hdmi_core_reset(dev, false);
    dev->dead = 1;
    dev->event_tail = dev->event_head; /* what nobody fetched dies with it */
    return 0;
  }
  dev->dead = 0;
  hdmi_core_reset(dev, false);
  return 0;
}

static int cable(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  switch (op) {
    case HDMI_OP_PLUG:
      if (a < 0 || a >= HDMI_DEV_SLOTS || !dev->sink[a].loaded) return -EINVAL;
      hdmi_sink_connect(dev, (unsigned int)a);
      hdmi_hpd_set(dev, true);
      return 0;
    case HDMI_OP_UNPLUG:
      hdmi_timer_cancel(dev, HDMI_T_HPD_EDGE);
      hdmi_hpd_set(dev, false);
      hdmi_sink_disconnect(dev);
      return 0;
    case HDMI_OP_HPD:
      hdmi_hpd_set(dev, a != 0);
      return 0;
    case HDMI_OP_HPD_PULSE: {
      const bool level = dev->hpd != 0;

      if (a <= 0 || a > 60 * HDMI_S) return -EINVAL;
      hdmi_hpd_set(dev, !level);
      return hdmi_timer_set(dev, HDMI_T_HPD_EDGE, dev->now_ns + a, level, 0) ? 0 : -ENOSPC;
    }
    case HDMI_OP_HPD_BOUNCE:
      return bounce(dev, a, b);
    case HDMI_OP_HPD_FLOOD:
      if (a < 1 || a > 1000000 || b < HDMI_S / a || b > 60 * HDMI_S) return -EINVAL;
      /* An even number of edges ends where it began. */
      hdmi_hpd_flood(dev, (b / (HDMI_S / a)) & ~1LL, HDMI_S / a);
      return 0;
    default:
      return -EINVAL;
  }
}

static int ddc_fault(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  struct hdmi_faults *f = &dev->fault;
  int64_t i;

  switch (op) {
    case HDMI_OP_DDC_NAK:
    case HDMI_OP_DDC_NAK_FOR:
      if (a < -1 || a > 127) return -EINVAL;
      for (i = a < 0 ? 0 : a; i <= (a < 0 ? 127 : a); i++) {
        if (op == HDMI_OP_DDC_NAK)
          f->ddc_nak[i] = (int32_t)b;
        else
          f->ddc_nak_until_ns[i] = dev->now_ns + b;
      }
      return 0;
    case HDMI_OP_DDC_HANG:
      f->ddc_hang = (int32_t)a;
      return 0;
    case HDMI_OP_DDC_STRETCH:
      if (a < 0 || a > 60 * HDMI_S) return -EINVAL;
      f->ddc_stretch_ns = a;
      f->ddc_stretch = (int32_t)b;
      return 0;
    case HDMI_OP_DDC_ARB:
      f->ddc_arb = (int32_t)a;
      return 0;
    case HDMI_OP_DDC_LATE:
      if (a < 0 || a > 60 * HDMI_S) return -EINVAL;
      f->ddc_late_ns = a;
      return 0;
    case HDMI_OP_DDC_LIE:
      f->ddc_lie_by = (int32_t)a;
      f->ddc_lie = (int32_t)b;
      return 0;
    case HDMI_OP_EDID_CORRUPT:
      if (a < 0 || (a & 0xff) > 127 || (a >> 8) > 255) return -EINVAL;
      f->edid_corrupt_at = (int32_t)a;
      f->edid_corrupt = (int32_t)b;
      return 0;
    case HDMI_OP_EDID_NAK:
      f->edid_nak_from = (int32_t)a;
      return 0;
    default:
      return -EINVAL;
  }
}

static int hdcp_fault(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  struct hdmi_faults *f = &dev->fault;

  switch (op) {
    case HDMI_OP_BKSV_BAD:
      f->bksv_bad = (int32_t)a;
      return 0;
    case HDMI_OP_COUNTERFEIT:
      hdmi_sink_keys(dev, a != 0);
      return 0;
    case HDMI_OP_R0_DELAY:
      if (a < 0 || a > 60 * HDMI_S) return -EINVAL;
      f->r0_delay_ns = a;
      return 0;
    case HDMI_OP_RI_BAD:
      f->ri_bad = (int32_t)a;
      f->ri_bad_sticky = b != 0;
      return 0;
    case HDMI_OP_READY_DELAY:
      if (a > 60 * HDMI_S) return -EINVAL;
      f->ready_delay_ns = a;
      return 0;
    case HDMI_OP_BSTATUS:
      if (b < -1 || b > HDCP14_DEVICES_MAX || a < 0 || a > 0xffff) return -EINVAL;
      f->bstatus_bits = (uint16_t)a;
      f->bstatus_count = (int32_t)b;
      return 0;
    case HDMI_OP_V_BAD:
      f->v_bad = (int32_t)a;
      return 0;
    case HDMI_OP_DOWNSTREAM:
    case HDMI_OP_TOPOLOGY:
      if (a < 0 || a > HDCP14_DEVICES_MAX || b < 0 || b > HDCP14_DEPTH_MAX) return -EINVAL;
      hdmi_rx14_downstream(dev, (uint32_t)a, (uint32_t)b);
      if (op == HDMI_OP_DOWNSTREAM || !dev->connected) return 0;
      if ((dev->sink[dev->slot].req.flags & HDMI_SINK_HDCP22) && dev->ops.hdcp22_inject != NULL) {
        const int nr =
            dev->ops.hdcp22_inject(dev->ops.hdcp22_ctx, dev->slot, op, a, b, dev->rx22.out, 3);

        if (nr > 0) {
          hdmi_rx22_post(dev, nr);
          return 0;
        }
      }
      /* In 1.4 the upstream side can only fall back to unauthenticated. */
      hdmi_rx14_reset(dev);
      return 0;
    default:
      return -EINVAL;
  }
}

static int hdcp22_fault(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  if (op == HDMI_OP_HDCP22_REAUTH) {
    dev->rx22.reauth = 1;
    return 0;
  }
  if (op == HDMI_OP_HDCP22_SEQ) {
    if (dev->ops.hdcp22_inject == NULL) return -EINVAL;
    (void)dev->ops.hdcp22_inject(dev->ops.hdcp22_ctx, dev->slot, op, a, b, dev->rx22.out, 0);
    return 0;
  }
  if (a < 0 || a > 31 || b > 60 * HDMI_S) return -EINVAL;
  if (op == HDMI_OP_HDCP22_DELAY)
    dev->fault.hdcp22_delay_ns[a] = b;
  else
    dev->fault.hdcp22_bad[a] = (int32_t)b;
  return 0;
}

static int link_fault(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  unsigned int lane;

  switch (op) {
    case HDMI_OP_SCDC_LOSE:
      dev->scdc[0x20] = 0;
      hdmi_scdc_update(dev);
      return 0;
    case HDMI_OP_CHARACTER_ERRORS:
      if (a < 0 || a > 0x7fff) return -EINVAL;
      for (lane = 0; lane < 3; lane++) {
        dev->scdc[0x50 + 2 * lane] = (uint8_t)a;
        dev->scdc[0x51 + 2 * lane] = (uint8_t)(0x80 | a >> 8); /* valid */
      }
      dev->scdc[0x56] = 0;
      for (lane = 0x50; lane < 0x56; lane++)
        dev->scdc[0x56] = (uint8_t)(dev->scdc[0x56] - dev->scdc[lane]);
      hdmi_raise(dev, HDMI_EV_LINK_ERR, 4)->u.bits = HDMI_LINK_ERR_CHARACTERS;
      return 0;
    case HDMI_OP_IF_DROP:
      dev->fault.if_drop = (int32_t)a;
      return 0;
    case HDMI_OP_CEC_REPLY:
      if (a > 60 * HDMI_S) return -EINVAL;
      dev->fault.cec_reply_ns = a;
      return 0;
    case HDMI_OP_CEC_SEND:
      if (b < 1 || b > 8) return -EINVAL;
      return hdmi_timer_set(dev, HDMI_T_CEC_RX, dev->now_ns, a, b) ? 0 : -ENOSPC;
    case HDMI_OP_CEC_NAK:
      dev->fault.cec_nak = (int32_t)a;
      return 0;
    default:
      return -EINVAL;
  }
}

static int core_fault(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  switch (op) {
    case HDMI_OP_FW_RESET:
      hdmi_core_reset(dev, false);
      return 0;
    case HDMI_OP_DEAD:
      return dead(dev, a != 0);
    case HDMI_OP_EVENT_FLOOD:
      if (a < 1 || a > 10000000 || b < a || b > 60 * HDMI_S) return -EINVAL;
      hdmi_flood(dev, a, b / a);
      return 0;
    case HDMI_OP_BAD_RECORD:
      return bad_record(dev, a);
    case HDMI_OP_MODE_DELAY:
      if (a < 0 || a > 60 * HDMI_S) return -EINVAL;
      dev->fault.mode_delay_ns = a;
      return 0;
    default:
      return -EINVAL;
  }
}

int hdmi_inject(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b) {
  if (op <= HDMI_OP_NONE || op >= HDMI_OP_NR) return -EINVAL;
  if (op <= HDMI_OP_HPD_FLOOD) return cable(dev, op, a, b);
  if (op <= HDMI_OP_EDID_NAK) return ddc_fault(dev, op, a, b);
  if (op <= HDMI_OP_TOPOLOGY) return hdcp_fault(dev, op, a, b);
  if (op <= HDMI_OP_CEC_NAK) return link_fault(dev, op, a, b);
  if (op <= HDMI_OP_MODE_DELAY) return core_fault(dev, op, a, b);
  return hdcp22_fault(dev, op, a, b);
}

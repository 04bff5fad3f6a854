/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_device.c: the transmitter: time, events, commands, phy, frame clock.
 * Invariant: timers run in the order of (time, order of setting), and now_ns is
 * set to a timer's own time while it runs, however late the host is.
 * Read on: hdmi_device.h, hdmi_ddc.c, hdmi_sink.c, hdmi_faults.c.
 */
#include "drivers/hdmi_example/device/hdmi_device_int.h"

#ifdef __KERNEL__
#include <linux/limits.h>
#endif

/* ---- time ---- */

bool hdmi_timer_set(struct hdmi_device *dev, unsigned int kind, int64_t at_ns, int64_t a,
                    int64_t b) {
  struct hdmi_dev_timer *t;

  /* Scripts and whatever a command can ask for any number of times leave room
   * for what the model needs to go on. */
  if (dev->nr_timers >= HDMI_DEV_TIMERS - HDMI_TIMERS_RESERVED &&
      (kind >= HDMI_T_OP || kind == HDMI_T_INFOFRAME || kind == HDMI_T_CEC_RX ||
       kind == HDMI_T_HPD_EDGE || kind == HDMI_T_DDC_LATE))
    return false;
  if (dev->nr_timers == HDMI_DEV_TIMERS) return false;
  t = &dev->timer[dev->nr_timers++];
  t->at_ns = at_ns < dev->now_ns ? dev->now_ns : at_ns;
  t->seq = dev->timer_seq++;
  t->kind = kind;
  t->a = a;
  t->b = b;
  return true;
}

void hdmi_timer_cancel(struct hdmi_device *dev, unsigned int kind) {
  uint32_t i = 0;

  while (i < dev->nr_timers) {
    if (dev->timer[i].kind == kind)
      dev->timer[i] = dev->timer[--dev->nr_timers];
    else
      i++;
  }
}

static uint32_t first_timer(const struct hdmi_device *dev) {
  uint32_t best = 0, i;

  for (i = 1; i < dev->nr_timers; i++) {
    const struct hdmi_dev_timer *t = &dev->timer[i], *b = &dev->timer[best];

    if (t->at_ns < b->at_ns || (t->at_ns == b->at_ns && (int32_t)(t->seq - b->seq) < 0)) best = i;
  }
  return best;
}

int64_t hdmi_device_deadline(const struct hdmi_device *dev) {
  return dev->nr_timers == 0 ? HDMI_DEV_NEVER : dev->timer[first_timer(dev)].at_ns;
}

uint64_t hdmi_random(struct hdmi_device *dev) { return dev->rng = hdcp14_mix64(dev->rng); }

/* ---- events ---- */

/* The event to fill in, or a place where nobody looks if it is masked, lost, or
 * the device is dead; never NULL, so that callers need no branch. */
struct hdmi_event *hdmi_raise(struct hdmi_device *dev, unsigned int type, unsigned int len) {
  struct hdmi_event *e;

  if (dev->dead || ((dev->irq_mask >> type) & 1)) return &dev->nowhere;
  dev->event_seq++;
  if (dev->event_head - dev->event_tail == HDMI_DEV_EVENTS) {
    dev->dropped++;
    return &dev->nowhere;
  }
  e = &dev->event[dev->event_head++ % HDMI_DEV_EVENTS];
  memset(e, 0, sizeof(*e));
  e->type = (uint16_t)type;
  e->len = (uint16_t)len;
  e->seq = dev->event_seq;
  e->generation = dev->generation;
  e->port = dev->port;
  e->time_ns = (uint64_t)dev->now_ns;
  return e;
}

bool hdmi_device_pop(struct hdmi_device *dev, struct hdmi_event *event, uint8_t *bulk, size_t cap,
                     size_t *bulk_len) {
  *bulk_len = 0;
  if (dev->event_head == dev->event_tail) return false;
  *event = dev->event[dev->event_tail++ % HDMI_DEV_EVENTS];
  /* The bytes of a transfer stay until the next one; a completion that was
   * overtaken by one (it was aborted) has none. */
  if (event->type == HDMI_EV_DDC_DONE && event->u.ddc_done.status == 0 &&
      event->u.ddc_done.id == dev->ddc.reply_id && dev->ddc.read_len > 0) {
    *bulk_len = dev->ddc.read_len < cap ? dev->ddc.read_len : cap;
    memcpy(bulk, dev->ddc.read, *bulk_len);
  }
  return true;
}

/* ---- frames ---- */

uint64_t hdmi_frames_since(const struct hdmi_device *dev, int64_t since_ns) {
  if (since_ns == HDMI_DEV_NEVER || dev->mode.frame_ns == 0 || dev->now_ns < since_ns) return 0;
  return (uint64_t)(dev->now_ns - since_ns) / dev->mode.frame_ns;
}

static bool video_runs(const struct hdmi_device *dev) {
  return dev->mode_set && dev->phy_on && dev->mode.frame_ns != 0;
}

static void arm_vsync128(struct hdmi_device *dev) {
  const uint64_t period = dev->mode.frame_ns * HDCP14_RI_FRAMES;
  const uint64_t done = hdmi_frames_since(dev, dev->enc_since_ns) / HDCP14_RI_FRAMES;

  hdmi_timer_cancel(dev, HDMI_T_VSYNC128);
  hdmi_timer_set(dev, HDMI_T_VSYNC128, dev->enc_since_ns + (int64_t)(period * (done + 1)), 0, 0);
}

void hdmi_set_encrypt(struct hdmi_device *dev, bool on) {
  if (on && !video_runs(dev)) on = false;
  if (on == (dev->encrypt != 0)) return;
  dev->encrypt = on ? 1 : 0;
  dev->enc_since_ns = on ? dev->now_ns : HDMI_DEV_NEVER;
  hdmi_timer_cancel(dev, HDMI_T_VSYNC128);
  hdmi_rx14_encrypt(dev, on);
  if (on) {
    arm_vsync128(dev);
    hdmi_moment(dev, HDMI_WHEN_ENCRYPT, 0);
  }
  hdmi_raise(dev, HDMI_EV_HDCP_STATUS, 4)->u.bits = on ? HDMI_HDCP_ENCRYPT : 0;
}

/* ---- reset ---- */

void hdmi_core_reset(struct hdmi_device *dev, bool by_driver) {
  struct hdmi_event *e;

  hdmi_ddc_drop(dev);
  hdmi_timer_cancel(dev, HDMI_T_MODE_DONE);
  hdmi_timer_cancel(dev, HDMI_T_INFOFRAME);
  hdmi_timer_cancel(dev, HDMI_T_CEC_TX);
  hdmi_timer_cancel(dev, HDMI_T_TX_R0);
  hdmi_timer_cancel(dev, HDMI_T_VSYNC128);
  dev->encrypt = 0;
  dev->enc_since_ns = HDMI_DEV_NEVER;
  hdmi_rx14_encrypt(dev, false);
  memset(&dev->mode, 0, sizeof(dev->mode));
  dev->mode_set = dev->phy_on = dev->phy_locked = dev->avmute = dev->tx_started = 0;
  memset(dev->infoframe, 0, sizeof(dev->infoframe));
  dev->hpd_edges = 0;
  dev->irq_mask = 0;
  dev->generation++;
  hdmi_scdc_update(dev);
  e = hdmi_raise(dev, HDMI_EV_FW_RESET, 8);
  e->u.reset.generation = dev->generation;
  e->u.reset.by_driver = by_driver ? 1 : 0;
}

void hdmi_device_init(struct hdmi_device *dev, const struct hdmi_device_ops *ops, uint64_t seed,
                      uint64_t authority, int64_t now_ns) {
  memset(dev, 0, sizeof(*dev));
  dev->ops = *ops;
  dev->seed = seed;
  dev->rng = hdcp14_mix64(seed);
  dev->authority = authority;
  dev->now_ns = now_ns;
  dev->generation = 1;
  dev->enc_since_ns = HDMI_DEV_NEVER;
  dev->rx.enc_since_ns = HDMI_DEV_NEVER;
  hdcp14_authority_device(authority, HDMI_DEV_TX_DEVICE, &dev->tx_keys);
  hdmi_faults_init(&dev->fault);
  hdmi_timer_set(dev, HDMI_T_HEARTBEAT, now_ns + HDMI_HEARTBEAT_NS, 0, 0);
}

/* ---- what falls due ---- */

static void heartbeat(struct hdmi_device *dev) {
  struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_HEARTBEAT, 8);

  e->u.heartbeat.count = ++dev->heartbeats;
  e->u.heartbeat.dropped = dev->dropped;
  hdmi_timer_set(dev, HDMI_T_HEARTBEAT, dev->now_ns + HDMI_HEARTBEAT_NS, 0, 0);
}

static void mode_done(struct hdmi_device *dev, uint32_t id) {
  dev->mode_set = 1;
  dev->phy_locked = dev->phy_on;
  hdmi_raise(dev, HDMI_EV_MODE_DONE, 8)->u.done.id = id;
  hdmi_scdc_relock(dev);
}

static void run_timer(struct hdmi_device *dev, const struct hdmi_dev_timer *t) {
  switch (t->kind) {
    case HDMI_T_DDC_DONE:
      hdmi_ddc_finish(dev);
      break;
    case HDMI_T_DDC_LATE:
      hdmi_ddc_late(dev, (uint32_t)t->a);
      break;
    case HDMI_T_R0_READY:
    case HDMI_T_READY:
      hdmi_rx14_timer(dev, t->kind);
      break;
    case HDMI_T_TX_R0:
      hdmi_raise(dev, HDMI_EV_HDCP_STATUS, 4)->u.bits =
          HDMI_HDCP_R0_READY | (dev->encrypt ? HDMI_HDCP_ENCRYPT : 0);
      break;
    case HDMI_T_MODE_DONE:
      mode_done(dev, (uint32_t)t->a);
      break;
    case HDMI_T_SCDC_LOCK:
      hdmi_scdc_update(dev);
      break;
    case HDMI_T_INFOFRAME:
      if (!hdmi_fault_strikes(&dev->fault.if_drop))
        hdmi_raise(dev, HDMI_EV_INFOFRAME_ACK, 8)->u.done.id = (uint32_t)t->a;
      break;
    case HDMI_T_CEC_TX: {
      struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_CEC_TX_DONE, 8);

      e->u.done.id = (uint32_t)t->a;
      e->u.done.status = (int32_t)t->b;
      break;
    }
    case HDMI_T_CEC_RX: {
      struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_CEC_RX, 17);
      unsigned int i;

      e->u.cec.len = (uint8_t)t->b;
      for (i = 0; i < 8 && i < (unsigned int)t->b; i++)
        e->u.cec.bytes[i] = (uint8_t)((uint64_t)t->a >> (8 * i));
      break;
    }
    case HDMI_T_HEARTBEAT:
      heartbeat(dev);
      break;
    case HDMI_T_VSYNC128:
      hdmi_raise(dev, HDMI_EV_VSYNC128, 8)->u.frame = hdmi_frames_since(dev, dev->enc_since_ns);
      arm_vsync128(dev);
      hdmi_moment(dev, HDMI_WHEN_VSYNC128, 0);
      break;
    case HDMI_T_HPD_EDGE:
      hdmi_hpd_set(dev, t->a != 0);
      break;
    case HDMI_T_HPD_LOW:
      hdmi_sink_reset(dev);
      break;
    case HDMI_T_HPD_FLOOD:
      hdmi_hpd_flood(dev, t->a, t->b);
      break;
    case HDMI_T_FLOOD:
      hdmi_flood(dev, t->a, t->b);
      break;
    case HDMI_T_HDCP22:
      dev->rx22.available = 1;
      break;
    default:
      if (t->kind >= HDMI_T_OP) (void)hdmi_inject(dev, t->kind - HDMI_T_OP, t->a, t->b);
  }
}

void hdmi_device_step(struct hdmi_device *dev, int64_t now_ns) {
  while (dev->nr_timers > 0) {
    const uint32_t i = first_timer(dev);
    const struct hdmi_dev_timer t = dev->timer[i];

    if (t.at_ns > now_ns) break;
    dev->timer[i] = dev->timer[--dev->nr_timers];
    dev->now_ns = t.at_ns;
    run_timer(dev, &t);
  }
  if (now_ns > dev->now_ns) dev->now_ns = now_ns;
}

/* ---- commands ---- */

static int set_mode(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  const struct hdmi_mode_req *mode = &cmd->u.mode;

  if (mode->frame_ns < 1000000 || mode->frame_ns > 1000000000 || mode->clock_khz == 0)
    return -EINVAL;
  hdmi_set_encrypt(dev, false);
  dev->mode = *mode;
  dev->mode_set = dev->phy_locked = 0;
  hdmi_timer_cancel(dev, HDMI_T_MODE_DONE);
  hdmi_timer_set(dev, HDMI_T_MODE_DONE, dev->now_ns + dev->fault.mode_delay_ns, cmd->id, 0);
  hdmi_moment(dev, HDMI_WHEN_MODE, 0);
  return 0;
}

static int phy_power(struct hdmi_device *dev, bool on) {
  if (!on) hdmi_set_encrypt(dev, false);
  dev->phy_on = on ? 1 : 0;
  dev->phy_locked = on && dev->mode_set;
  hdmi_scdc_relock(dev);
  return 0;
}

static int send_infoframe(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  const uint8_t type = cmd->u.infoframe.type;
  int64_t wait = HDMI_IF_ACK_NS;

  if (cmd->u.infoframe.len > sizeof(cmd->u.infoframe.bytes)) return -EINVAL;
  dev->infoframe[type] = cmd->u.infoframe.len;
  if (cmd->u.infoframe.len == 0) return 0;
  /* It goes out with the next frame. */
  if (video_runs(dev)) wait = (int64_t)dev->mode.frame_ns;
  hdmi_timer_set(dev, HDMI_T_INFOFRAME, dev->now_ns + wait, type, 0);
  return 0;
}

static int send_cec(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  const uint8_t len = cmd->u.cec.len;
  int status = HDMI_CEC_OK;
  uint32_t i;

  if (len == 0 || len > sizeof(cmd->u.cec.bytes)) return -EINVAL;
  for (i = 0; i < dev->nr_timers; i++) {
    if (dev->timer[i].kind == HDMI_T_CEC_TX) status = HDMI_CEC_BUSY;
  }
  if (status == HDMI_CEC_BUSY) {
    struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_CEC_TX_DONE, 8);

    e->u.done.id = cmd->id;
    e->u.done.status = status;
    return 0;
  }
  /* The television has logical address 0; 15 is everybody. */
  if (!dev->connected || !(dev->sink[dev->slot].req.flags & HDMI_SINK_CEC) ||
      ((cmd->u.cec.bytes[0] & 15) != 0 && (cmd->u.cec.bytes[0] & 15) != 15) ||
      hdmi_fault_strikes(&dev->fault.cec_nak))
    status = HDMI_CEC_NAK;
  hdmi_timer_set(dev, HDMI_T_CEC_TX, dev->now_ns + HDMI_CEC_START_NS + len * HDMI_CEC_BYTE_NS,
                 cmd->id, status);
  hdmi_moment(dev, HDMI_WHEN_CEC_TX, 0);
  if (status == HDMI_CEC_OK) hdmi_cec_received(dev, cmd->u.cec.bytes, len);
  return 0;
}

static int load_sink(struct hdmi_device *dev, const struct hdmi_cmd *cmd, const uint8_t *bulk,
                     size_t bulk_len) {
  const struct hdmi_sink_req *req = &cmd->u.sink;
  struct hdmi_sink_slot *slot;

  if (req->slot >= HDMI_DEV_SLOTS || bulk_len > HDMI_DEV_EDID_MAX ||
      req->downstream > HDCP14_DEVICES_MAX || req->depth > HDCP14_DEPTH_MAX)
    return -EINVAL;
  slot = &dev->sink[req->slot];
  slot->req = *req;
  slot->edid_len = (uint32_t)bulk_len;
  slot->loaded = 1;
  memset(slot->edid, 0, sizeof(slot->edid));
  if (bulk_len > 0) memcpy(slot->edid, bulk, bulk_len);
  if (dev->connected && dev->slot == req->slot) hdmi_sink_keys(dev, false);
  return 0;
}

static int start_tx_engine(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  if (!hdcp14_ksv_valid(cmd->u.hdcp_start.bksv)) return -EINVAL;
  hdmi_set_encrypt(dev, false);
  hdcp14_link_start(&dev->tx_link, hdcp14_km(dev->tx_keys.keys, cmd->u.hdcp_start.bksv),
                    cmd->u.hdcp_start.repeater != 0, cmd->u.hdcp_start.an);
  dev->tx_started = 1;
  hdmi_timer_cancel(dev, HDMI_T_TX_R0);
  hdmi_timer_set(dev, HDMI_T_TX_R0, dev->now_ns + HDMI_TX_R0_NS, 0, 0);
  return 0;
}

static int read_reg(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  struct hdmi_event *e;

  if (cmd->u.value >= HDMI_REG_NR) return -EINVAL;
  e = hdmi_raise(dev, HDMI_EV_REG, 16);
  e->u.reg.id = cmd->id;
  e->u.reg.reg = (uint32_t)cmd->u.value;
  e->u.reg.value = hdmi_device_reg(dev, (uint32_t)cmd->u.value);
  return 0;
}

static int inject(struct hdmi_device *dev, const struct hdmi_cmd *cmd) {
  const int64_t delay = cmd->u.inject.delay_ns;
  struct hdmi_trigger t;

  if (cmd->u.inject.op == HDMI_OP_NONE || cmd->u.inject.op >= HDMI_OP_NR || delay < 0 ||
      delay > 1000000 * HDMI_S)
    return -EINVAL;
  if (cmd->u.inject.when >= HDMI_WHEN_NR) return -EINVAL;
  if (cmd->u.inject.when != HDMI_WHEN_NOW) {
    t.when = cmd->u.inject.when;
    t.arg = cmd->u.inject.arg;
    t.op = cmd->u.inject.op;
    t.delay_ns = delay;
    t.a = cmd->u.inject.a;
    t.b = cmd->u.inject.b;
    return hdmi_trigger_add(dev, &t) ? 0 : -ENOSPC;
  }
  if (delay == 0) return hdmi_inject(dev, cmd->u.inject.op, cmd->u.inject.a, cmd->u.inject.b);
  return hdmi_timer_set(dev, HDMI_T_OP + cmd->u.inject.op, dev->now_ns + delay, cmd->u.inject.a,
                        cmd->u.inject.b)
             ? 0
             : -ENOSPC;
}

int hdmi_device_command(struct hdmi_device *dev, int64_t now_ns, const struct hdmi_cmd *cmd,
                        const uint8_t *bulk, size_t bulk_len) {
  hdmi_device_step(dev, now_ns);
  if (cmd->len > HDMI_PAYLOAD_BYTES || (bulk_len > 0 && bulk == NULL)) return -EINVAL;
  /* Scripts reach a dead device, or it could never come back. */
  if (cmd->type == HDMI_CMD_INJECT) return inject(dev, cmd);
  if (cmd->type == HDMI_CMD_SINK_LOAD) return load_sink(dev, cmd, bulk, bulk_len);
  if (dev->dead) return 0;
  if (cmd->generation != 0 && cmd->generation != dev->generation) {
    if (cmd->type == HDMI_CMD_DDC_XFER) {
      struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_DDC_DONE, 12);

      e->u.ddc_done.id = cmd->id;
      e->u.ddc_done.status = HDMI_DDC_STALE;
    }
    return -ESTALE;
  }
  switch (cmd->type) {
    case HDMI_CMD_DDC_XFER:
      return hdmi_ddc_start(dev, cmd, bulk, bulk_len);
    case HDMI_CMD_DDC_ABORT:
      hdmi_ddc_abort(dev, (uint32_t)cmd->u.value);
      return 0;
    case HDMI_CMD_SET_MODE:
      return set_mode(dev, cmd);
    case HDMI_CMD_PHY:
      return phy_power(dev, cmd->u.value != 0);
    case HDMI_CMD_AVMUTE:
      dev->avmute = cmd->u.value != 0;
      return 0;
    case HDMI_CMD_INFOFRAME:
      return send_infoframe(dev, cmd);
    case HDMI_CMD_HDCP_CTRL:
      hdmi_set_encrypt(dev, (cmd->u.value & HDMI_HDCP_ENCRYPT) != 0);
      return 0;
    case HDMI_CMD_HDCP_START:
      return start_tx_engine(dev, cmd);
    case HDMI_CMD_CEC_TX:
      return send_cec(dev, cmd);
    case HDMI_CMD_IRQ_MASK:
      dev->irq_mask = cmd->u.value;
      return 0;
    case HDMI_CMD_RESET:
      hdmi_core_reset(dev, true);
      return 0;
    case HDMI_CMD_REG_READ:
      return read_reg(dev, cmd);
    default:
      return -EINVAL;
  }
}

uint64_t hdmi_device_reg(struct hdmi_device *dev, uint32_t reg) {
  switch (reg) {
    case HDMI_REG_HPD:
      return dev->hpd;
    case HDMI_REG_RXSENSE:
      return dev->connected;
    case HDMI_REG_GENERATION:
      return dev->generation;
    case HDMI_REG_FRAME:
      return hdmi_frames_since(dev, dev->enc_since_ns);
    case HDMI_REG_HDCP_CTRL:
      return dev->encrypt ? HDMI_HDCP_ENCRYPT : 0;
    case HDMI_REG_TX_AKSV:
      return dev->tx_keys.ksv;
    case HDMI_REG_TX_R0:
      return dev->tx_started ? dev->tx_link.r0 : 0;
    case HDMI_REG_TX_RI:
      if (!dev->tx_started) return 0;
      hdcp14_link_advance(&dev->tx_link, hdmi_frames_since(dev, dev->enc_since_ns));
      return dev->tx_link.ri;
    case HDMI_REG_TX_M0:
      return dev->tx_started ? dev->tx_link.m0 : 0;
    case HDMI_REG_PHY:
      return dev->phy_on | (uint64_t)dev->phy_locked << 1 |
             ((dev->mode.flags & HDMI_MODE_SCRAMBLE) ? 4u : 0u);
    case HDMI_REG_HPD_EDGES:
      return dev->hpd_edges;
    case HDMI_REG_DROPPED:
      return dev->dropped;
    case HDMI_REG_AVMUTE:
      return dev->avmute;
    case HDMI_REG_ABI:
      return HDMI_ABI_VERSION;
    default:
      return 0;
  }
}

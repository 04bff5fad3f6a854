/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_ddc.c: the display data channel: one transfer at a time, with its time on
 * the wire, and what can go wrong with it.
 *
 * Invariant: a transfer that was accepted completes exactly once, unless it
 * hangs (then it completes when it is aborted) or the core is reset (then it
 * never does, and FW_RESET tells).  Its effect on the sink, reads and writes
 * alike, happens at the moment of completion.
 *
 * Read on: hdmi_sink.c (who answers).
 */
#include "drivers/hdmi_example/device/hdmi_device_int.h"

bool hdmi_fault_strikes(int32_t *count) {
  if (*count == 0) return false;
  if (*count > 0) --*count;
  return true;
}

static void complete(struct hdmi_device *dev, uint32_t id, int status, uint32_t len) {
  struct hdmi_event *e = hdmi_raise(dev, HDMI_EV_DDC_DONE, 12);

  e->u.ddc_done.id = id;
  e->u.ddc_done.status = status;
  e->u.ddc_done.len = len;
}

/* Lengths of all messages; false if the request contradicts itself. */
static bool request_ok(const struct hdmi_cmd *cmd, size_t bulk_len, uint32_t *writes,
                       uint32_t *reads) {
  uint32_t i;

  *writes = *reads = 0;
  if (cmd->u.ddc.nr == 0 || cmd->u.ddc.nr > HDMI_DDC_MSGS_MAX) return false;
  for (i = 0; i < cmd->u.ddc.nr; i++) {
    const struct hdmi_ddc_msg *m = &cmd->u.ddc.msg[i];

    if (m->addr > 127) return false;
    if (m->flags & HDMI_DDC_RD)
      *reads += m->len;
    else
      *writes += m->len;
  }
  return *writes == bulk_len && *writes <= sizeof(((struct hdmi_ddc_state *)0)->write) &&
         *reads <= HDMI_BULK_MAX;
}

/* Tells the scripts what this transfer is about: where its reads will start. */
static void announce(struct hdmi_device *dev) {
  const struct hdmi_ddc_state *ddc = &dev->ddc;
  unsigned int segment = 0, offset = HDCP14_REG_RI, at = 0, i;

  for (i = 0; i < ddc->nr; i++) {
    const struct hdmi_ddc_msg *m = &ddc->msg[i];

    if (!(m->flags & HDMI_DDC_RD)) {
      if (m->len > 0 && m->addr == HDMI_DDC_ADDR_SEGMENT) segment = ddc->write[at];
      if (m->len > 0 && m->addr != HDMI_DDC_ADDR_SEGMENT) offset = ddc->write[at];
      at += m->len;
    } else if (m->addr == HDMI_DDC_ADDR_EDID) {
      hdmi_moment(dev, HDMI_WHEN_EDID, segment * 2 + offset / 128);
    } else if (m->addr == HDMI_DDC_ADDR_HDCP) {
      if (offset == HDCP14_REG_RI) hdmi_moment(dev, HDMI_WHEN_RI, 0);
      if (offset == HDCP14_REG_BCAPS) hdmi_moment(dev, HDMI_WHEN_BCAPS, 0);
      if (offset == HDCP14_REG_FIFO) hdmi_moment(dev, HDMI_WHEN_FIFO, 0);
    }
  }
}

int hdmi_ddc_start(struct hdmi_device *dev, const struct hdmi_cmd *cmd, const uint8_t *bulk,
                   size_t bulk_len) {
  struct hdmi_ddc_state *ddc = &dev->ddc;
  uint32_t writes, reads;
  int64_t wire;

  if (!request_ok(cmd, bulk_len, &writes, &reads)) {
    complete(dev, cmd->id, HDMI_DDC_INVALID, 0);
    return -EINVAL;
  }
  if (ddc->busy) {
    complete(dev, cmd->id, HDMI_DDC_BUSY, 0);
    return 0;
  }
  ddc->busy = 1;
  ddc->id = cmd->id;
  ddc->nr = cmd->u.ddc.nr;
  memcpy(ddc->msg, cmd->u.ddc.msg, sizeof(ddc->msg));
  ddc->write_len = (uint16_t)writes;
  if (bulk_len > 0) memcpy(ddc->write, bulk, bulk_len);
  ddc->read_len = 0;
  ddc->reply_id = 0;
  announce(dev);
  ddc->hung = hdmi_fault_strikes(&dev->fault.ddc_hang) ? 1 : 0;
  if (ddc->hung) return 0; /* the sink holds the clock; only an abort ends it */
  wire = (int64_t)(writes + reads + ddc->nr) * HDMI_DDC_BYTE_NS + (ddc->nr + 1) * HDMI_DDC_MSG_NS;
  if (hdmi_fault_strikes(&dev->fault.ddc_stretch)) wire += dev->fault.ddc_stretch_ns;
  hdmi_timer_set(dev, HDMI_T_DDC_DONE, dev->now_ns + wire, 0, 0);
  return 0;
}

static bool address_naks(struct hdmi_device *dev, uint8_t addr) {
  if (!dev->connected) return true;
  if (dev->now_ns < dev->fault.ddc_nak_until_ns[addr]) return true;
  return hdmi_fault_strikes(&dev->fault.ddc_nak[addr]);
}

/* Carries out the messages; returns the status. */
static int run_messages(struct hdmi_device *dev) {
  struct hdmi_ddc_state *ddc = &dev->ddc;
  uint32_t i, written = 0;
  bool offset_written = false;

  if (hdmi_fault_strikes(&dev->fault.ddc_arb)) return HDMI_DDC_ARBITRATION;
  dev->edid_segment = 0;
  for (i = 0; i < ddc->nr; i++) {
    const struct hdmi_ddc_msg *m = &ddc->msg[i];
    bool acked;

    if (address_naks(dev, m->addr)) {
      if (!(m->flags & HDMI_DDC_IGNORE_NAK)) return HDMI_DDC_NAK;
      if (!(m->flags & HDMI_DDC_RD)) written += m->len;
      continue;
    }
    if (m->flags & HDMI_DDC_RD) {
      acked = hdmi_sink_read(dev, m->addr, offset_written, &ddc->read[ddc->read_len], m->len);
      if (acked) ddc->read_len = (uint16_t)(ddc->read_len + m->len);
    } else {
      acked = hdmi_sink_write(dev, m->addr, &ddc->write[written], m->len);
      written += m->len;
      offset_written = acked && m->addr != HDMI_DDC_ADDR_SEGMENT;
    }
    if (!acked && !(m->flags & HDMI_DDC_IGNORE_NAK)) return HDMI_DDC_NAK;
  }
  return 0;
}

void hdmi_ddc_finish(struct hdmi_device *dev) {
  struct hdmi_ddc_state *ddc = &dev->ddc;
  uint32_t claimed;
  int status;

  if (!ddc->busy) return;
  ddc->busy = 0;
  status = run_messages(dev);
  /* The stop that ends the transfer also resets the segment pointer. */
  dev->edid_segment = 0;
  if (status != 0) ddc->read_len = 0;
  ddc->reply_id = ddc->id;
  claimed = ddc->read_len;
  if (status == 0 && hdmi_fault_strikes(&dev->fault.ddc_lie))
    claimed = (uint32_t)((int32_t)claimed + dev->fault.ddc_lie_by);
  complete(dev, ddc->id, status, claimed);
}

void hdmi_ddc_abort(struct hdmi_device *dev, uint32_t id) {
  struct hdmi_ddc_state *ddc = &dev->ddc;

  if (!ddc->busy || ddc->id != id) return; /* it completed meanwhile */
  ddc->busy = ddc->hung = 0;
  ddc->read_len = 0;
  hdmi_timer_cancel(dev, HDMI_T_DDC_DONE);
  if (dev->fault.ddc_late_ns > 0) {
    /* F13: the controller did not hear the abort and completes all the same. */
    hdmi_timer_set(dev, HDMI_T_DDC_LATE, dev->now_ns + dev->fault.ddc_late_ns, id, 0);
    dev->fault.ddc_late_ns = 0;
    return;
  }
  complete(dev, id, HDMI_DDC_CANCELED, 0);
}

void hdmi_ddc_late(struct hdmi_device *dev, uint32_t id) { complete(dev, id, 0, 0); }

void hdmi_ddc_drop(struct hdmi_device *dev) {
  dev->ddc.busy = dev->ddc.hung = 0;
  dev->ddc.read_len = 0;
  hdmi_timer_cancel(dev, HDMI_T_DDC_DONE);
  hdmi_timer_cancel(dev, HDMI_T_DDC_LATE);
}

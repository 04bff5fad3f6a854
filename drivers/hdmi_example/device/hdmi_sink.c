/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_sink.c: the cable, the EDID, SCDC and CEC of the simulated sink.
 * Invariant: nothing answers on the DDC unless the cable is connected; what the
 * sink was told (SCDC, HDCP) is forgotten when HPD is low for as long as a sink
 * means it, 100 ms, or when the cable is pulled.
 * Read on: hdmi_rx14.c (the HDCP receiver), hdmi_ddc.c (the wire).
 */
#include "drivers/hdmi_example/device/hdmi_device_int.h"

#define SCDC_SINK_VERSION 0x01
#define SCDC_TMDS_CONFIG 0x20
#define SCDC_SCRAMBLER_STATUS 0x21
#define SCDC_STATUS_FLAGS 0x40
#define SCDC_CED 0x50

/* ---- the cable ---- */

void hdmi_hpd_set(struct hdmi_device *dev, bool level) {
  if (level == (dev->hpd != 0)) return;
  dev->hpd = level ? 1 : 0;
  dev->hpd_edges++;
  hdmi_timer_cancel(dev, HDMI_T_HPD_LOW);
  if (!level) hdmi_timer_set(dev, HDMI_T_HPD_LOW, dev->now_ns + HDMI_HPD_MEANT_NS, 0, 0);
  hdmi_raise(dev, HDMI_EV_HPD, 4)->u.level = dev->hpd;
}

void hdmi_hpd_flood(struct hdmi_device *dev, int64_t left, int64_t step_ns) {
  hdmi_hpd_set(dev, !dev->hpd);
  if (left > 1) hdmi_timer_set(dev, HDMI_T_HPD_FLOOD, dev->now_ns + step_ns, left - 1, step_ns);
}

void hdmi_sink_reset(struct hdmi_device *dev) {
  hdmi_rx14_reset(dev);
  memset(dev->scdc, 0, sizeof(dev->scdc));
  dev->scdc[SCDC_SINK_VERSION] = 1;
  hdmi_scdc_update(dev);
}

void hdmi_sink_connect(struct hdmi_device *dev, unsigned int slot) {
  if (dev->connected) hdmi_sink_disconnect(dev);
  dev->slot = (uint8_t)slot;
  dev->connected = 1;
  memset(dev->ddc_offset, 0, sizeof(dev->ddc_offset));
  hdmi_sink_keys(dev, false);
  hdmi_sink_reset(dev);
  hdmi_raise(dev, HDMI_EV_RXSENSE, 4)->u.level = 1;
}

void hdmi_sink_disconnect(struct hdmi_device *dev) {
  if (!dev->connected) return;
  dev->connected = 0;
  hdmi_sink_reset(dev);
  /* A transfer on the wire ends here: nobody acknowledges its next byte. */
  if (dev->ddc.busy && !dev->ddc.hung) {
    hdmi_timer_cancel(dev, HDMI_T_DDC_DONE);
    hdmi_ddc_finish(dev);
  }
  hdmi_timer_cancel(dev, HDMI_T_CEC_RX);
  hdmi_raise(dev, HDMI_EV_RXSENSE, 4)->u.level = 0;
}

/* ---- SCDC ---- */

void hdmi_scdc_relock(struct hdmi_device *dev) {
  hdmi_timer_cancel(dev, HDMI_T_SCDC_LOCK);
  hdmi_timer_set(dev, HDMI_T_SCDC_LOCK, dev->now_ns + HDMI_SCDC_LOCK_NS, 0, 0);
}

/* Works out what the sink sees of the link, and reports what got worse. */
void hdmi_scdc_update(struct hdmi_device *dev) {
  const uint8_t config = dev->scdc[SCDC_TMDS_CONFIG];
  const bool sent = (dev->mode.flags & HDMI_MODE_SCRAMBLE) != 0;
  const bool running =
      dev->connected && dev->mode_set && dev->phy_on && dev->phy_locked && dev->mode.frame_ns != 0;
  const bool scrambled = running && sent && (config & 1);
  /* Above 340 MHz the clock runs at 1/40, which the sink must know. */
  const bool ratio_ok = (dev->mode.tmds_khz > 340000) == ((config & 2) != 0);
  const bool locked = running && ratio_ok && sent == ((config & 1) != 0);
  const bool was_scrambled = dev->scdc[SCDC_SCRAMBLER_STATUS] & 1;
  const bool was_locked = (dev->scdc[SCDC_STATUS_FLAGS] & 0x0f) == 0x0f;
  uint32_t lost = 0;

  dev->scdc[SCDC_SCRAMBLER_STATUS] = scrambled ? 1 : 0;
  dev->scdc[SCDC_STATUS_FLAGS] = locked ? 0x0f : (running ? 0x01 : 0x00);
  if (running && was_scrambled && !scrambled) lost |= HDMI_LINK_ERR_SCRAMBLING;
  if (running && was_locked && !locked) lost |= HDMI_LINK_ERR_LOCK;
  if (lost != 0) hdmi_raise(dev, HDMI_EV_LINK_ERR, 4)->u.bits = lost;
}

static bool scdc_write(struct hdmi_device *dev, const uint8_t *bytes, unsigned int len) {
  unsigned int i;

  dev->ddc_offset[HDMI_DDC_ADDR_SCDC] = bytes[0];
  for (i = 1; i < len; i++) {
    const uint8_t reg = (uint8_t)(bytes[0] + i - 1);

    /* Versions and status are the sink's; the rest is configuration. */
    if (reg == SCDC_TMDS_CONFIG) {
      dev->scdc[reg] = bytes[i] & 3;
      hdmi_scdc_relock(dev);
    } else if (reg == 0x02 || reg == 0x30) {
      dev->scdc[reg] = bytes[i];
    }
  }
  return true;
}

static void scdc_read(struct hdmi_device *dev, uint8_t *bytes, unsigned int len) {
  const uint8_t from = dev->ddc_offset[HDMI_DDC_ADDR_SCDC];
  unsigned int i;

  for (i = 0; i < len; i++) bytes[i] = dev->scdc[(uint8_t)(from + i)];
  /* Reading the error counters clears them. */
  if (from <= SCDC_CED && from + len > SCDC_CED) memset(&dev->scdc[SCDC_CED], 0, 7);
}

/* ---- EDID ---- */

static bool edid_read(struct hdmi_device *dev, uint8_t *bytes, unsigned int len) {
  const struct hdmi_sink_slot *slot = &dev->sink[dev->slot];
  const uint32_t from = (uint32_t)dev->edid_segment * 256 + dev->ddc_offset[HDMI_DDC_ADDR_EDID];
  const uint32_t bad = (uint32_t)(dev->fault.edid_corrupt_at >> 8) * 128 +
                       (uint32_t)(dev->fault.edid_corrupt_at & 0xff);
  uint32_t i;

  if (dev->fault.edid_nak_from >= 0 && from / 128 >= (uint32_t)dev->fault.edid_nak_from)
    return false;
  for (i = 0; i < len; i++) bytes[i] = from + i < slot->edid_len ? slot->edid[from + i] : 0;
  if (bad >= from && bad < from + len && hdmi_fault_strikes(&dev->fault.edid_corrupt))
    bytes[bad - from] ^= 0x10;
  dev->ddc_offset[HDMI_DDC_ADDR_EDID] = (uint8_t)(dev->ddc_offset[HDMI_DDC_ADDR_EDID] + len);
  return true;
}

/* ---- the bus ---- */

bool hdmi_sink_write(struct hdmi_device *dev, uint8_t addr, const uint8_t *bytes,
                     unsigned int len) {
  const struct hdmi_sink_slot *slot = &dev->sink[dev->slot];

  switch (addr) {
    case HDMI_DDC_ADDR_SEGMENT:
      /* A sink of one segment has no segment pointer. */
      if (slot->edid_len <= 256) return false;
      if (len > 0) dev->edid_segment = bytes[0];
      return true;
    case HDMI_DDC_ADDR_EDID:
      if (len > 0) dev->ddc_offset[addr] = bytes[0];
      return slot->edid_len > 0;
    case HDMI_DDC_ADDR_SCDC:
      if (!(slot->req.flags & HDMI_SINK_SCDC)) return false;
      return len == 0 || scdc_write(dev, bytes, len);
    case HDMI_DDC_ADDR_HDCP:
      if (!(slot->req.flags & (HDMI_SINK_HDCP14 | HDMI_SINK_HDCP22))) return false;
      if (len > 0) hdmi_rx_write(dev, bytes, len);
      return true;
    default:
      return false;
  }
}

bool hdmi_sink_read(struct hdmi_device *dev, uint8_t addr, bool offset_written, uint8_t *bytes,
                    unsigned int len) {
  const struct hdmi_sink_slot *slot = &dev->sink[dev->slot];

  switch (addr) {
    case HDMI_DDC_ADDR_EDID:
      return slot->edid_len > 0 && edid_read(dev, bytes, len);
    case HDMI_DDC_ADDR_SCDC:
      if (!(slot->req.flags & HDMI_SINK_SCDC)) return false;
      scdc_read(dev, bytes, len);
      return true;
    case HDMI_DDC_ADDR_HDCP:
      if (!(slot->req.flags & (HDMI_SINK_HDCP14 | HDMI_SINK_HDCP22))) return false;
      hdmi_rx_read(dev, offset_written ? dev->ddc_offset[addr] : HDCP14_REG_RI, bytes, len);
      return true;
    default:
      return false;
  }
}

/* ---- CEC ---- */

/* Up to eight bytes travel in a timer's argument. */
static void cec_reply(struct hdmi_device *dev, int64_t after_ns, const uint8_t *bytes,
                      unsigned int len) {
  uint64_t packed = 0;
  unsigned int i;

  for (i = 0; i < len; i++) packed |= (uint64_t)bytes[i] << (8 * i);
  hdmi_timer_set(dev, HDMI_T_CEC_RX, dev->now_ns + after_ns, (int64_t)packed, len);
}

void hdmi_cec_received(struct hdmi_device *dev, const uint8_t *bytes, unsigned int len) {
  const uint8_t initiator = bytes[0] >> 4;
  const bool broadcast = (bytes[0] & 15) == 15;
  const int64_t after = HDMI_CEC_START_NS + len * HDMI_CEC_BYTE_NS + dev->fault.cec_reply_ns;
  uint8_t r[8] = {0};
  unsigned int n = 0;

  if (len < 2 || dev->fault.cec_reply_ns < 0) return; /* a poll, or a silent sink */
  r[0] = initiator;                                   /* from the television, 0, to whoever asked */
  switch (bytes[1]) {
    case 0x83: /* give physical address: the root of the tree */
      r[0] = 0x0f;
      r[1] = 0x84;
      n = 5;
      break;
    case 0x8f: /* give device power status: on */
      r[1] = 0x90;
      n = 3;
      break;
    case 0x9f: /* get CEC version: 1.4 */
      r[1] = 0x9e;
      r[2] = 0x05;
      n = 3;
      break;
    case 0x46: /* give OSD name */
      r[1] = 0x47;
      r[2] = 'U';
      r[3] = 'W';
      r[4] = 'Q';
      n = 5;
      break;
    case 0x8c: /* give device vendor id */
      r[0] = 0x0f;
      r[1] = 0x87;
      n = 5;
      break;
    case 0x00: /* feature abort is never answered */
      break;
    default:
      if (broadcast) break;
      r[1] = 0x00;
      r[2] = bytes[1];
      n = 4;
      break;
  }
  if (n > 0) cec_reply(dev, after, r, n);
}

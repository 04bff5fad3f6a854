/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_device_int.h: what the source files of the device model share.
 * Invariant: dev->now_ns is the exact time of what is happening.
 * Read on: hdmi_device.h.
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_INT_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_INT_H_

#include "drivers/hdmi_example/device/hdmi_device.h"

#define HDMI_US 1000LL
#define HDMI_MS 1000000LL
#define HDMI_S 1000000000LL

#define HDMI_HEARTBEAT_NS (100 * HDMI_MS)
#define HDMI_DDC_BYTE_NS (90 * HDMI_US) /* nine clocks at 100 kHz */
#define HDMI_DDC_MSG_NS (20 * HDMI_US)  /* a start or a stop */
#define HDMI_MODE_NS (30 * HDMI_MS)     /* until the phy has locked */
#define HDMI_SCDC_LOCK_NS (10 * HDMI_MS)
#define HDMI_R0_NS (60 * HDMI_MS)
#define HDMI_READY_NS (1200 * HDMI_MS)
/* A sink that pulls HPD low means it for at least this long; less is the line. */
#define HDMI_HPD_MEANT_NS (100 * HDMI_MS)
#define HDMI_TX_R0_NS (1 * HDMI_MS)
#define HDMI_CEC_START_NS (4500 * HDMI_US)
#define HDMI_CEC_BYTE_NS (24 * HDMI_MS) /* ten bits of 2.4 ms */
#define HDMI_CEC_REPLY_NS (60 * HDMI_MS)
#define HDMI_TIMERS_RESERVED 64
#define HDMI_IF_ACK_NS (2 * HDMI_MS) /* when no frame clock runs */

enum hdmi_timer_kind {
  HDMI_T_DDC_DONE = 1,
  HDMI_T_DDC_LATE,
  HDMI_T_R0_READY,
  HDMI_T_TX_R0,
  HDMI_T_READY,
  HDMI_T_MODE_DONE,
  HDMI_T_SCDC_LOCK,
  HDMI_T_INFOFRAME,
  HDMI_T_CEC_TX,
  HDMI_T_CEC_RX,
  HDMI_T_HEARTBEAT,
  HDMI_T_VSYNC128,
  HDMI_T_HPD_EDGE,
  HDMI_T_HPD_LOW,
  HDMI_T_HPD_FLOOD,
  HDMI_T_FLOOD,
  HDMI_T_HDCP22,
  HDMI_T_OP = 0x100 /* HDMI_T_OP + op: a scripted operation */
};

/* hdmi_device.c */
bool hdmi_timer_set(struct hdmi_device *dev, unsigned int kind, int64_t at_ns, int64_t a,
                    int64_t b);
void hdmi_timer_cancel(struct hdmi_device *dev, unsigned int kind);
struct hdmi_event *hdmi_raise(struct hdmi_device *dev, unsigned int type, unsigned int len);
uint64_t hdmi_random(struct hdmi_device *dev);
void hdmi_core_reset(struct hdmi_device *dev, bool by_driver);
uint64_t hdmi_frames_since(const struct hdmi_device *dev, int64_t since_ns);
void hdmi_set_encrypt(struct hdmi_device *dev, bool on);

/* hdmi_sink.c, hdmi_rx14.c */
void hdmi_sink_connect(struct hdmi_device *dev, unsigned int slot);
void hdmi_sink_disconnect(struct hdmi_device *dev);
/* The sink forgets what it was told: HPD low, or the cable is gone. */
void hdmi_sink_reset(struct hdmi_device *dev);
void hdmi_hpd_set(struct hdmi_device *dev, bool level);
void hdmi_sink_keys(struct hdmi_device *dev, bool counterfeit);
void hdmi_rx14_timer(struct hdmi_device *dev, unsigned int kind);
void hdmi_rx14_downstream(struct hdmi_device *dev, uint32_t devices, uint32_t depth);
void hdmi_rx14_encrypt(struct hdmi_device *dev, bool on);
void hdmi_scdc_update(struct hdmi_device *dev);
void hdmi_scdc_relock(struct hdmi_device *dev);
void hdmi_cec_received(struct hdmi_device *dev, const uint8_t *bytes, unsigned int len);
void hdmi_rx14_reset(struct hdmi_device *dev);
void hdmi_rx_read(struct hdmi_device *dev, uint8_t from, uint8_t *bytes, unsigned int len);
void hdmi_rx_write(struct hdmi_device *dev, const uint8_t *bytes, unsigned int len);
void hdmi_rx22_post(struct hdmi_device *dev, int nr);
/* Register access as the bus sees it; false: not acknowledged. */
bool hdmi_sink_write(struct hdmi_device *dev, uint8_t addr, const uint8_t *bytes, unsigned int len);
bool hdmi_sink_read(struct hdmi_device *dev, uint8_t addr, bool offset_written, uint8_t *bytes,
                    unsigned int len);

/* hdmi_ddc.c */
int hdmi_ddc_start(struct hdmi_device *dev, const struct hdmi_cmd *cmd, const uint8_t *bulk,
                   size_t bulk_len);
void hdmi_ddc_abort(struct hdmi_device *dev, uint32_t id);
void hdmi_ddc_finish(struct hdmi_device *dev);
void hdmi_ddc_drop(struct hdmi_device *dev);
void hdmi_ddc_late(struct hdmi_device *dev, uint32_t id);
/* Counts one use of an armed fault; true if it strikes. */
bool hdmi_fault_strikes(int32_t *count);

/* hdmi_faults.c */
int hdmi_inject(struct hdmi_device *dev, uint32_t op, int64_t a, int64_t b);
void hdmi_faults_init(struct hdmi_faults *fault);
/* Says that a moment has come; operations that wait for it are armed. */
void hdmi_moment(struct hdmi_device *dev, unsigned int when, unsigned int arg);
/* Lets an operation wait; false if too many do. */
bool hdmi_trigger_add(struct hdmi_device *dev, const struct hdmi_trigger *trigger);
void hdmi_flood(struct hdmi_device *dev, int64_t left, int64_t step_ns);
void hdmi_hpd_flood(struct hdmi_device *dev, int64_t left, int64_t step_ns);

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_INT_H_ */

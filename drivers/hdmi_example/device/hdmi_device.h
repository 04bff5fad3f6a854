/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_device.h: a simulated HDMI transmitter with a sink or a repeater behind
 * it, as one state machine that is driven by explicit time.
 *
 * Invariant: the device does nothing on its own.  It changes only inside
 * hdmi_device_command() and hdmi_device_step(); both take the time, which never
 * runs backwards, and everything due by then happens in the order of its exact
 * times.  There is no thread, no allocation, no floating point and no I/O, so the
 * same source runs in a test, in a process behind a KUP channel, and inside a
 * kernel module.
 *
 * One frame clock drives both ends: the transmitter's engine and the receiver's
 * cipher count the same encrypted frames, and VSYNC128 tells the driver which Ri
 * to compare.  Frames are counted by division, not one by one.
 *
 * The loop of a host (a process, a kernel thread, a test):
 *
 *   hdmi_device_step(dev, now);
 *   while (hdmi_device_pop(dev, &event, bulk, sizeof(bulk), &nr)) send(event, bulk, nr);
 *   wait until hdmi_device_deadline(dev), or until a command comes;
 *   hdmi_device_command(dev, now, &cmd, bulk, nr);
 *
 * Threads: one at a time; the host brings its lock.  Blocks: never.
 * Read on: hdmi_abi.h, hdmi_inject.h, sim_device.h (for C++).
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_H_

#include "drivers/hdmi_example/device/hdmi_abi.h"
#include "drivers/hdmi_example/device/hdmi_inject.h"
#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"
#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"
#include "drivers/hdmi_example/hdcp/hdcp_regs.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HDMI_DEV_SLOTS 4
#define HDMI_DEV_EDID_MAX 4096
#define HDMI_DEV_EVENTS 512 /* a power of two */
#define HDMI_DEV_TIMERS 1024
#define HDMI_DEV_TRIGGERS 16
#define HDMI_DEV_NEVER INT64_MAX
#define HDMI_DEV_HDCP22_MSG_MAX 640
#define HDMI_DEV_TX_DEVICE 0 /* the transmitter's index under the authority */

/* A message that an HDCP 2.2 receiver wants to be read. */
struct hdmi_hdcp22_out {
  int64_t delay_ns; /* from the request, or from the reading of the one before */
  uint32_t len;
  uint8_t bytes[HDMI_DEV_HDCP22_MSG_MAX];
};

/* What the model does not compute itself.  A kernel module gives the kernel's
 * functions, a process OpenSSL's. */
struct hdmi_device_ops {
  void (*sha1)(const uint8_t *data, size_t len, uint8_t digest[20]);
  /* The HDCP 2.2 receiver of the sink in `slot`, or NULL: sinks without it.
   * `handle` gets a whole message from the transmitter (len 0: the receiver is
   * reset) and writes up to `max` messages; returns how many, or a negative value
   * if it wants to be authenticated anew. */
  int (*hdcp22_handle)(void *ctx, int slot, const uint8_t *msg, size_t len,
                       struct hdmi_hdcp22_out *out, int max);
  /* A topology change or an injected fault; `out` as above. */
  int (*hdcp22_inject)(void *ctx, int slot, uint32_t op, int64_t a, int64_t b,
                       struct hdmi_hdcp22_out *out, int max);
  void *hdcp22_ctx;
};

struct hdmi_dev_timer {
  int64_t at_ns;
  uint32_t seq; /* order of setting, among equal times */
  uint32_t kind;
  int64_t a, b;
};

struct hdmi_sink_slot {
  struct hdmi_sink_req req;
  uint32_t edid_len;
  uint32_t loaded;
  uint8_t edid[HDMI_DEV_EDID_MAX];
};

enum hdmi_rx_state { HDMI_RX_UNAUTH = 0, HDMI_RX_COMPUTING = 1, HDMI_RX_AUTH = 2 };

/* The HDCP 1.4 receiver. */
struct hdmi_rx14 {
  struct hdcp14_device_keys keys;
  struct hdcp14_link link;
  enum hdmi_rx_state state;
  uint8_t an[8], aksv[5], ainfo;
  uint8_t ready;
  int64_t enc_since_ns; /* when its frames began to count; NEVER: they do not */
  uint16_t fifo_len;
  uint16_t bstatus;
  uint8_t fifo[HDCP14_DEVICES_MAX * HDCP14_KSV_BYTES];
  uint8_t v[20];
};

/* The HDCP 2.2 receiver's mailbox; the protocol is behind hdmi_device_ops. */
struct hdmi_rx22 {
  struct hdmi_hdcp22_out out[3];
  uint8_t nr, next, available, reauth;
  uint16_t status_ready; /* the READY bit */
};

/* Armed faults; -1 means for ever. */
struct hdmi_faults {
  int32_t ddc_nak[128];
  int64_t ddc_nak_until_ns[128];
  int32_t ddc_hang, ddc_arb, ddc_stretch, ddc_lie;
  int64_t ddc_stretch_ns, ddc_late_ns;
  int32_t ddc_lie_by;
  int32_t edid_corrupt, edid_corrupt_at, edid_nak_from;
  int32_t bksv_bad, ri_bad, ri_bad_sticky, v_bad;
  int32_t bstatus_count;
  uint16_t bstatus_bits;
  int64_t r0_delay_ns, ready_delay_ns;
  int32_t if_drop, cec_nak;
  int64_t cec_reply_ns, mode_delay_ns;
  int64_t hdcp22_delay_ns[32];
  int32_t hdcp22_bad[32];
};

/* An operation that waits for a moment. */
struct hdmi_trigger {
  uint16_t when, arg;
  uint32_t op;
  int64_t delay_ns, a, b;
};

struct hdmi_ddc_state {
  uint8_t busy, hung;
  uint8_t pad[2];
  uint32_t id, nr;
  struct hdmi_ddc_msg msg[HDMI_DDC_MSGS_MAX];
  uint16_t write_len, read_len;
  uint8_t write[1024];
  uint8_t read[HDMI_BULK_MAX];
  uint32_t reply_id; /* whose bytes `read` holds */
};

struct hdmi_device {
  struct hdmi_device_ops ops;
  uint64_t seed, rng;
  uint64_t authority;
  int64_t now_ns;
  uint32_t generation, event_seq, timer_seq, nr_timers;
  uint16_t port;
  uint8_t dead, hpd, connected, slot;
  uint32_t hpd_edges, dropped, heartbeats;
  uint64_t irq_mask;

  struct hdmi_dev_timer timer[HDMI_DEV_TIMERS];
  struct hdmi_event event[HDMI_DEV_EVENTS];
  struct hdmi_event nowhere;       /* where masked and lost events are written */
  uint32_t event_head, event_tail; /* free running */

  /* The transmitter. */
  struct hdcp14_device_keys tx_keys;
  struct hdcp14_link tx_link;
  struct hdmi_mode_req mode;
  uint8_t mode_set, phy_on, phy_locked, avmute, encrypt, tx_started;
  uint8_t pad[2];
  int64_t enc_since_ns;
  uint8_t infoframe[256]; /* length that is being sent, by type */

  struct hdmi_ddc_state ddc;
  struct hdmi_sink_slot sink[HDMI_DEV_SLOTS];
  struct hdmi_rx14 rx;
  struct hdmi_rx22 rx22;
  uint8_t ddc_offset[128]; /* the register pointer of each device on the bus */
  uint8_t edid_segment;
  uint8_t scdc[256];
  struct hdmi_faults fault;
  struct hdmi_trigger trigger[HDMI_DEV_TRIGGERS];
};

/* Prepares *dev (the caller's memory, about 110 KiB) with nothing plugged in.
 * `ops` is copied; ops->sha1 must not be NULL.  `authority` is the seed that the
 * driver's keys come from, too. */
void hdmi_device_init(struct hdmi_device *dev, const struct hdmi_device_ops *ops, uint64_t seed,
                      uint64_t authority, int64_t now_ns);

/* Carries out one command at `now_ns`; completions are events.
 * Returns 0, or -EINVAL for a record that is wrong in itself (type, lengths,
 * index), -ESTALE for one of an earlier generation, -ENOSPC when the script is
 * full.  A DDC transfer that is refused also completes with its status. */
int hdmi_device_command(struct hdmi_device *dev, int64_t now_ns, const struct hdmi_cmd *cmd,
                        const uint8_t *bulk, size_t bulk_len);

/* Lets everything happen that is due by now_ns. */
void hdmi_device_step(struct hdmi_device *dev, int64_t now_ns);

/* When hdmi_device_step() is wanted next; HDMI_DEV_NEVER if nothing is armed. */
int64_t hdmi_device_deadline(const struct hdmi_device *dev);

/* Takes the oldest event, and its bulk bytes if it has any (at most `cap` are
 * copied; *bulk_len says how many).  Returns false if there is none. */
bool hdmi_device_pop(struct hdmi_device *dev, struct hdmi_event *event, uint8_t *bulk, size_t cap,
                     size_t *bulk_len);

/* A register's value at the time of the last step or command. */
uint64_t hdmi_device_reg(struct hdmi_device *dev, uint32_t reg);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_DEVICE_H_ */

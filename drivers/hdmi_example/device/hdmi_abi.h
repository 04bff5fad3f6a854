/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_abi.h: the records that the HDMI driver and the transmitter exchange, on a
 * KUP channel or in process.
 *
 * Invariant: every record is 64 bytes, fixed width, little endian, with explicit
 * padding.  Records come from another process: a reader copies one out, checks
 * `type` and `len`, and only then looks at the payload.
 *
 * Bulk bytes (a DDC transfer's data, an EDID to load) follow their record in the
 * same message.  How many there are is the message's length minus 64; a record
 * that announces another number lies, and the receiver says so.
 *
 * Read on: hdmi_device.h (who answers), hdmi_inject.h (faults).
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_ABI_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_ABI_H_

#include "drivers/hdmi_example/hdcp/hdcp14_port.h"

#define HDMI_ABI_VERSION 1
#define HDMI_RECORD_BYTES 64
#define HDMI_PAYLOAD_BYTES 40
#define HDMI_BULK_MAX 4096 /* of one record */

/* Device to driver. */
enum hdmi_event_type {
  HDMI_EV_NONE = 0,
  HDMI_EV_HPD = 1,           /* level */
  HDMI_EV_RXSENSE = 2,       /* level */
  HDMI_EV_DDC_DONE = 3,      /* ddc_done, bulk: the bytes read */
  HDMI_EV_CEC_RX = 4,        /* cec */
  HDMI_EV_CEC_TX_DONE = 5,   /* done */
  HDMI_EV_INFOFRAME_ACK = 6, /* done; id is the InfoFrame's type */
  HDMI_EV_VSYNC128 = 7,      /* frame: the encrypted frames so far */
  HDMI_EV_HDCP_STATUS = 8,   /* bits */
  HDMI_EV_LINK_ERR = 9,      /* bits */
  HDMI_EV_FW_RESET = 10,     /* reset */
  HDMI_EV_HEARTBEAT = 11,    /* heartbeat */
  HDMI_EV_MODE_DONE = 12,    /* done; id of the SET_MODE command */
  HDMI_EV_REG = 13,          /* reg */
  HDMI_EV_NR
};

/* Driver to device. */
enum hdmi_cmd_type {
  HDMI_CMD_NONE = 0,
  HDMI_CMD_DDC_XFER = 1,   /* ddc, bulk: the bytes of all writes */
  HDMI_CMD_DDC_ABORT = 2,  /* value: the transfer's id; recovers the bus */
  HDMI_CMD_SET_MODE = 3,   /* mode */
  HDMI_CMD_PHY = 4,        /* value: 0 off, 1 on */
  HDMI_CMD_AVMUTE = 5,     /* value */
  HDMI_CMD_INFOFRAME = 6,  /* infoframe; length 0 switches the type off */
  HDMI_CMD_HDCP_CTRL = 7,  /* value: HDMI_HDCP_* */
  HDMI_CMD_HDCP_START = 8, /* hdcp_start: the hardware's own 1.4 engine */
  HDMI_CMD_CEC_TX = 9,     /* cec */
  HDMI_CMD_IRQ_MASK = 10,  /* value: bit n masks event type n */
  HDMI_CMD_RESET = 11,     /* the driver resets the transmitter */
  HDMI_CMD_REG_READ = 12,  /* value: HDMI_REG_* */
  HDMI_CMD_SINK_LOAD = 13, /* sink, bulk: its EDID */
  HDMI_CMD_INJECT = 14,    /* inject: scripts and faults, see hdmi_inject.h */
  HDMI_CMD_NR
};

/* Registers that can be read at any time, also by a poll with events masked. */
enum hdmi_reg {
  HDMI_REG_HPD = 0,
  HDMI_REG_RXSENSE = 1,
  HDMI_REG_GENERATION = 2,
  HDMI_REG_FRAME = 3, /* encrypted frames since encryption went on */
  HDMI_REG_HDCP_CTRL = 4,
  HDMI_REG_TX_AKSV = 5,
  HDMI_REG_TX_R0 = 6, /* of the hardware's engine */
  HDMI_REG_TX_RI = 7,
  HDMI_REG_TX_M0 = 8,
  HDMI_REG_PHY = 9,        /* bit 0 power, bit 1 lock, bit 2 scrambling */
  HDMI_REG_HPD_EDGES = 10, /* since the last reset, masked ones too */
  HDMI_REG_DROPPED = 11,   /* events lost because nobody fetched them */
  HDMI_REG_AVMUTE = 12,
  HDMI_REG_ABI = 13,
  HDMI_REG_NR
};

/* HDMI_CMD_HDCP_CTRL and HDMI_EV_HDCP_STATUS. */
#define HDMI_HDCP_ENCRYPT 0x01u  /* encryption is on */
#define HDMI_HDCP_R0_READY 0x02u /* status only: the hardware's R0 can be read */

/* HDMI_EV_LINK_ERR. */
#define HDMI_LINK_ERR_SCRAMBLING 0x01u /* the sink lost scrambling */
#define HDMI_LINK_ERR_LOCK 0x02u
#define HDMI_LINK_ERR_CHARACTERS 0x04u

/* struct hdmi_mode_req.flags */
#define HDMI_MODE_SCRAMBLE 0x01u
#define HDMI_MODE_HDMI 0x02u

/* struct hdmi_ddc_msg.flags */
#define HDMI_DDC_RD 0x01u
#define HDMI_DDC_IGNORE_NAK 0x02u
#define HDMI_DDC_MSGS_MAX 8

/* Status of a DDC transfer: 0, or what Linux' I2C core would say, negative.
 * Written as numbers, because errno.h differs between systems. */
#define HDMI_DDC_NAK (-6)          /* ENXIO: nobody at that address */
#define HDMI_DDC_ARBITRATION (-11) /* EAGAIN */
#define HDMI_DDC_BUSY (-16)        /* EBUSY: one transfer at a time */
#define HDMI_DDC_INVALID (-22)     /* EINVAL: the request itself is wrong */
#define HDMI_DDC_STALE (-116)      /* ESTALE: sent to an earlier generation */
#define HDMI_DDC_TIMEOUT (-110)    /* ETIMEDOUT: the clock was held too long */
#define HDMI_DDC_NAK_DATA (-121)   /* EREMOTEIO: a data byte was refused */
#define HDMI_DDC_CANCELED (-125)   /* ECANCELED: aborted */

/* Status of a CEC transmission. */
#define HDMI_CEC_OK 0
#define HDMI_CEC_NAK (-6)
#define HDMI_CEC_BUSY (-16)

struct hdmi_ddc_msg {
  uint8_t addr; /* 7 bits */
  uint8_t flags;
  uint16_t len;
};

struct hdmi_event {
  uint16_t type;
  uint16_t len; /* of the payload */
  uint32_t seq; /* counts events that were raised, lost ones too: a gap is a loss */
  uint32_t generation;
  uint16_t port;
  uint16_t pad;
  uint64_t time_ns;
  union {
    uint32_t level;
    uint32_t bits;
    uint64_t frame;
    struct {
      uint32_t id;
      int32_t status;
      uint32_t len; /* bulk bytes, as the device claims */
    } ddc_done;
    struct {
      uint32_t id;
      int32_t status;
    } done;
    struct {
      uint8_t len;
      uint8_t bytes[16];
    } cec;
    struct {
      uint32_t generation;
      uint32_t by_driver; /* 0: the firmware died on its own */
    } reset;
    struct {
      uint32_t count;
      uint32_t dropped;
    } heartbeat;
    struct {
      uint32_t id;
      uint32_t reg;
      uint64_t value;
    } reg;
    uint8_t raw[HDMI_PAYLOAD_BYTES];
  } u;
};

struct hdmi_mode_req {
  uint32_t clock_khz;
  uint32_t tmds_khz;
  uint64_t frame_ns; /* between two vertical syncs */
  uint32_t flags;
  uint32_t vic;
};

/* What a sink is made of; its EDID follows as bulk. */
struct hdmi_sink_req {
  uint32_t slot;
  uint32_t flags;      /* HDMI_SINK_* */
  uint32_t device;     /* index under the simulation authority */
  uint32_t downstream; /* devices behind a repeater */
  uint32_t depth;
  uint32_t pad;
  uint64_t authority; /* seed; another one makes a counterfeit */
};

#define HDMI_SINK_HDCP14 0x01u
#define HDMI_SINK_REPEATER 0x02u
#define HDMI_SINK_FEATURES_1_1 0x04u
#define HDMI_SINK_SCDC 0x08u
#define HDMI_SINK_CEC 0x10u
#define HDMI_SINK_HDCP22 0x20u

struct hdmi_cmd {
  uint16_t type;
  uint16_t len;        /* of the payload */
  uint32_t id;         /* comes back in the completion */
  uint32_t generation; /* 0: whatever the device's is */
  uint16_t port;
  uint16_t pad;
  uint64_t pad2;
  union {
    uint64_t value;
    struct {
      uint32_t nr;
      struct hdmi_ddc_msg msg[HDMI_DDC_MSGS_MAX];
    } ddc;
    struct hdmi_mode_req mode;
    struct {
      uint8_t type;
      uint8_t len;
      uint8_t pad[2];
      uint8_t bytes[32];
    } infoframe;
    struct {
      uint64_t an;
      uint64_t bksv;
      uint32_t repeater;
      uint32_t pad;
    } hdcp_start;
    struct {
      uint8_t len;
      uint8_t bytes[16];
    } cec;
    struct hdmi_sink_req sink;
    struct {
      uint32_t op;   /* enum hdmi_inject_op */
      uint16_t when; /* enum hdmi_when */
      uint16_t arg;  /* of `when` */
      int64_t delay_ns;
      int64_t a, b;
    } inject;
    uint8_t raw[HDMI_PAYLOAD_BYTES];
  } u;
};

#ifdef __cplusplus
static_assert(sizeof(struct hdmi_event) == HDMI_RECORD_BYTES, "layout of hdmi_event");
static_assert(sizeof(struct hdmi_cmd) == HDMI_RECORD_BYTES, "layout of hdmi_cmd");
#else
_Static_assert(sizeof(struct hdmi_event) == HDMI_RECORD_BYTES, "layout of hdmi_event");
_Static_assert(sizeof(struct hdmi_cmd) == HDMI_RECORD_BYTES, "layout of hdmi_cmd");
#endif

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_ABI_H_ */

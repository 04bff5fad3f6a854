/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdmi_inject.h: what a script or a fault can do to the simulated device.
 *
 * Invariant: every operation takes effect at an exact time of the model's clock
 * and draws randomness only from the device's seed, so that a run is repeated
 * exactly by the same seed and the same script.
 *
 * A count of -1 means "from now on"; 0 switches the effect off.
 *
 * Read on: faults.h (F1..F44 in these terms), scenario.h.
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_INJECT_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_INJECT_H_

enum hdmi_inject_op {
  HDMI_OP_NONE = 0,
  /* The cable. */
  HDMI_OP_PLUG,       /* a: sink slot; HPD and receiver sense rise */
  HDMI_OP_UNPLUG,     /* both fall */
  HDMI_OP_HPD,        /* a: level; the line alone, the sink stays connected */
  HDMI_OP_HPD_PULSE,  /* a: ns low (or high), then back */
  HDMI_OP_HPD_BOUNCE, /* a: edges, b: ns in which they fall; ends at the other level if odd */
  HDMI_OP_HPD_FLOOD,  /* a: edges per second, b: ns; ends at the level it began with */
  /* The DDC. */
  HDMI_OP_DDC_NAK,     /* a: 7-bit address (-1 all), b: transfers */
  HDMI_OP_DDC_NAK_FOR, /* a: address (-1 all), b: ns */
  HDMI_OP_DDC_HANG,    /* a: transfers that never complete (the clock is held) */
  HDMI_OP_DDC_STRETCH, /* a: ns added, b: transfers */
  HDMI_OP_DDC_ARB,     /* a: transfers that lose arbitration */
  HDMI_OP_DDC_LATE,    /* a: ns; the next aborted transfer completes so much later all the same */
  HDMI_OP_DDC_LIE,     /* a: added to the announced length, b: completions */
  /* The EDID. */
  HDMI_OP_EDID_CORRUPT, /* a: block << 8 | byte, b: reads; flips a bit */
  HDMI_OP_EDID_NAK,     /* a: blocks from this one on are not acknowledged; -1: none */
  /* The HDCP 1.4 receiver. */
  HDMI_OP_BKSV_BAD,    /* a: reads; 21 ones */
  HDMI_OP_COUNTERFEIT, /* a: 1: keys of another authority; 0: its own again */
  HDMI_OP_R0_DELAY,    /* a: ns from Aksv to a valid R0' */
  HDMI_OP_RI_BAD,      /* a: reads, b: 1: also after the next authentication */
  HDMI_OP_READY_DELAY, /* a: ns from authentication to READY; -1: never */
  HDMI_OP_BSTATUS,     /* a: bits to set, b: device count to claim, or -1 */
  HDMI_OP_V_BAD,       /* a: reads */
  HDMI_OP_DOWNSTREAM,  /* a: devices behind the repeater, b: depth */
  HDMI_OP_TOPOLOGY,    /* a: devices, b: depth; a change while running, READY is raised anew */
  /* The link. */
  HDMI_OP_SCDC_LOSE,        /* scrambling and ratio are forgotten */
  HDMI_OP_CHARACTER_ERRORS, /* a: errors to count on every lane */
  HDMI_OP_IF_DROP,          /* a: InfoFrames that are not acknowledged */
  /* CEC. */
  HDMI_OP_CEC_REPLY, /* a: ns from a request to its reply, -1: none; default 60 ms */
  HDMI_OP_CEC_SEND,  /* a: up to 8 bytes, first one lowest, b: how many */
  HDMI_OP_CEC_NAK,   /* a: transmissions */
  /* The transmitter itself. */
  HDMI_OP_FW_RESET,    /* the core dies and comes back with the next generation */
  HDMI_OP_DEAD,        /* a: 1: no events and no answers; 0: alive again, next generation */
  HDMI_OP_EVENT_FLOOD, /* a: records, b: ns in which they fall; HPD, CEC, VSYNC mixed */
  HDMI_OP_BAD_RECORD,  /* a: 0 type, 1 length, 2 sequence, 3 generation, 4 random bytes */
  HDMI_OP_MODE_DELAY,  /* a: ns from SET_MODE to its completion */
  /* The HDCP 2.2 receiver. */
  HDMI_OP_HDCP22_DELAY,  /* a: message id, b: ns until it can be read */
  HDMI_OP_HDCP22_REAUTH, /* REAUTH_REQ is raised */
  HDMI_OP_HDCP22_BAD,    /* a: message id whose next b instances are corrupted, b: count */
  HDMI_OP_HDCP22_SEQ,    /* a: 1: the next list repeats its seq_num_V */
  HDMI_OP_NR
};

/* When an operation happens: at once (after its delay), or its delay after the
 * next time that the driver, or the link, gets to a certain point.  Once. */
enum hdmi_when {
  HDMI_WHEN_NOW = 0,
  HDMI_WHEN_EDID,    /* a transfer of EDID block `arg` has started */
  HDMI_WHEN_AKSV,    /* the last byte of Aksv was written */
  HDMI_WHEN_RI,      /* a transfer of Ri' (or R0') has started */
  HDMI_WHEN_BCAPS,   /* a transfer of Bcaps has started */
  HDMI_WHEN_FIFO,    /* a transfer of the KSV list has started */
  HDMI_WHEN_MODE,    /* SET_MODE was accepted */
  HDMI_WHEN_ENCRYPT, /* encryption went on */
  HDMI_WHEN_VSYNC128,
  HDMI_WHEN_CEC_TX, /* a transmission was accepted */
  HDMI_WHEN_NR
};

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_DEVICE_HDMI_INJECT_H_ */

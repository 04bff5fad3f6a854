/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp_regs.h: what an HDCP receiver shows on the DDC, for 1.4 and 2.2.
 *
 * Invariant: these are facts of the published protocol; multi-byte values are
 * little endian unless a name ends in _BE.
 *
 * Read on: hdcp14.h, hdcp22.h.
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP_REGS_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP_REGS_H_

/* 7-bit DDC addresses of an HDMI sink. */
#define HDMI_DDC_ADDR_SEGMENT 0x30 /* E-DDC segment pointer */
#define HDMI_DDC_ADDR_HDCP 0x3a
#define HDMI_DDC_ADDR_EDID 0x50
#define HDMI_DDC_ADDR_SCDC 0x54

/* HDCP 1.4 offsets. */
#define HDCP14_REG_BKSV 0x00    /* 5, R */
#define HDCP14_REG_RI 0x08      /* 2, R; where a read without an offset starts */
#define HDCP14_REG_PJ 0x0a      /* 1, R */
#define HDCP14_REG_AKSV 0x10    /* 5, W; the last byte starts authentication */
#define HDCP14_REG_AINFO 0x15   /* 1, W */
#define HDCP14_REG_AN 0x18      /* 8, W */
#define HDCP14_REG_V 0x20       /* 20, R; five words H0..H4 */
#define HDCP14_REG_BCAPS 0x40   /* 1, R */
#define HDCP14_REG_BSTATUS 0x41 /* 2, R */
#define HDCP14_REG_FIFO 0x43    /* 5 per device, R, offset does not advance */
#define HDCP14_REG_DEBUG 0xc0

#define HDCP14_AINFO_ENABLE_1_1 0x02

#define HDCP14_BCAPS_HDMI 0x80
#define HDCP14_BCAPS_REPEATER 0x40
#define HDCP14_BCAPS_READY 0x20
#define HDCP14_BCAPS_FAST 0x10
#define HDCP14_BCAPS_1_1_FEATURES 0x02
#define HDCP14_BCAPS_FAST_REAUTH 0x01

#define HDCP14_BSTATUS_COUNT_MASK 0x007f
#define HDCP14_BSTATUS_MAX_DEVS 0x0080
#define HDCP14_BSTATUS_DEPTH_SHIFT 8
#define HDCP14_BSTATUS_DEPTH_MASK 0x0700
#define HDCP14_BSTATUS_MAX_CASCADE 0x0800
#define HDCP14_BSTATUS_HDMI_MODE 0x1000

#define HDCP14_DEVICES_MAX 127
#define HDCP14_DEPTH_MAX 7

/* HDCP 2.2 offsets and bits. */
#define HDCP22_REG_VERSION 0x50
#define HDCP22_VERSION_2_2 0x04
#define HDCP22_REG_WRITE 0x60
#define HDCP22_REG_STATUS 0x70
#define HDCP22_REG_READ 0x80
#define HDCP22_STATUS_SIZE_MASK 0x03ff
#define HDCP22_STATUS_READY 0x0400
#define HDCP22_STATUS_REAUTH 0x0800

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP_REGS_H_ */

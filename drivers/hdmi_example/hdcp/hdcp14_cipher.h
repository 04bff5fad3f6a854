/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp14_cipher.h: the HDCP 1.4 block cipher and what authentication derives
 * from it: Km, Ks, M0, R0, and per encrypted frame Ki, Mi, Ri.
 *
 * Invariant: only authentication is here.  The pixel key stream is left out on
 * purpose, so nothing built on this file can encrypt or decrypt content.
 * Both ends of a link run this same code; the published facsimile vectors in
 * hdcp14_cipher_test.cc are what ties it to the specification.
 *
 * Values are plain integers with bit 0 = least significant bit = first byte on
 * the DDC.  All functions: any thread, never block, allocate nothing, keep no
 * hidden state.
 *
 * Read on: hdcp14.h (protocol arithmetic in C++), hdcp14_authority.h (keys).
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_CIPHER_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_CIPHER_H_

#include "drivers/hdmi_example/hdcp/hdcp14_port.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HDCP14_NR_KEYS 40
#define HDCP14_KSV_BYTES 5
#define HDCP14_KSV_ONES 20
#define HDCP14_MASK56 0x00ffffffffffffffULL
#define HDCP14_MASK40 0x000000ffffffffffULL
/* Ri is replaced at every 128th encrypted frame, Pj at every 16th. */
#define HDCP14_RI_FRAMES 128
#define HDCP14_PJ_FRAMES 16

/* What one run of the block cipher yields. */
struct hdcp14_block {
  uint64_t key; /* 56 bits: Ks at authentication, Ki for frame i */
  uint64_t m;   /* 64 bits: M0 or Mi */
  uint16_t r;   /* R0 or Ri */
};

/* Runs the block cipher: key56 = Km (authentication) or Ks (frame), in64 = An
 * or M(i-1).  Bits of key56 above 55 are ignored.  Costs a few microseconds. */
void hdcp14_block_cipher(uint64_t key56, bool repeater, uint64_t in64, struct hdcp14_block *out);

/* Sum of the keys whose bit is set in the other end's KSV, mod 2^56 (this is
 * Km).  keys points to HDCP14_NR_KEYS values. */
uint64_t hdcp14_km(const uint64_t *keys, uint64_t other_ksv);

/* A valid KSV has 20 ones among 40 bits and nothing above them. */
bool hdcp14_ksv_valid(uint64_t ksv);

/* Little-endian wire forms. */
uint64_t hdcp14_get_le(const uint8_t *bytes, unsigned int nr);
void hdcp14_put_le(uint64_t value, uint8_t *bytes, unsigned int nr);

/*
 * One end of an authenticated link: the frame counter and the values that it
 * shows at its registers.  Frame numbers count encrypted frames; frame 0 is the
 * authentication itself.
 */
struct hdcp14_link {
  uint64_t ks;
  uint64_t m0;    /* what V' is computed from */
  uint64_t m;     /* M of the newest frame */
  uint64_t frame; /* encrypted frames seen */
  uint16_t r0;
  uint16_t ri; /* R0 until frame 128, then R of the newest multiple of 128 */
  uint16_t rj; /* R of the newest multiple of 16 */
  uint8_t repeater;
  uint8_t pad[3];
};

/* Starts a link (frame 0).  Overwrites *link. */
void hdcp14_link_start(struct hdcp14_link *link, uint64_t km, bool repeater, uint64_t an);

/* Runs the frame cipher until `frame`; a number that is not in the future does
 * nothing, so a late reader may simply ask for "now".  Cost: one block cipher
 * per frame. */
void hdcp14_link_advance(struct hdcp14_link *link, uint64_t frame);

/* Pj of the enhanced link verification: the first pixel's byte on channel zero
 * (decrypted) xor the low byte of Rj. */
uint8_t hdcp14_link_pj(const struct hdcp14_link *link, uint8_t first_pixel);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_CIPHER_H_ */

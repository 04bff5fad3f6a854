/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp14_authority.h: our own simulation authority for HDCP 1.4 device keys.
 *
 * A secret symmetric 40x40 matrix D, entries mod 2^56, is expanded from a seed.
 * The device whose KSV has the bit vector v gets the keys k[i] = sum over j of
 * D[i][j] * v[j], so that for two devices of one seed both ends compute the same
 * Km.  Devices of two different seeds disagree: that is a counterfeit sink.
 *
 * Invariant: nothing here is, or is derived from, a production key.  The seed is
 * the whole state, so a device process and a driver process that are given the
 * same seed make the same devices.
 *
 * All functions: any thread, never block, allocate nothing.
 * Read on: hdcp14_cipher.h, ../device/hdmi_device.h (who holds which device).
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_AUTHORITY_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_AUTHORITY_H_

#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What every party of the demo uses unless it is told otherwise. */
#define HDCP14_SIM_SEED 0x7577712d73696dULL

struct hdcp14_device_keys {
  uint64_t ksv;
  uint64_t keys[HDCP14_NR_KEYS];
};

/* A well-mixed function of its input; also the generator of the device model. */
uint64_t hdcp14_mix64(uint64_t v);

/* The KSV of device number `index` of this authority: 20 ones, 20 zeros. */
uint64_t hdcp14_authority_ksv(uint64_t seed, uint64_t index);

/* The keys that belong to `ksv` (any 40-bit value) under this authority. */
void hdcp14_authority_keys(uint64_t seed, uint64_t ksv, uint64_t *keys);

/* Both: device number `index`. */
void hdcp14_authority_device(uint64_t seed, uint64_t index, struct hdcp14_device_keys *out);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_AUTHORITY_H_ */

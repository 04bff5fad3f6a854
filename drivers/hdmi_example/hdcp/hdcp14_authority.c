/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp14_authority.c: Blom's key distribution from a seed.
 *
 * Invariant: matrix_entry() is symmetric in i and j; that alone makes the Km of
 * two devices equal.  The matrix is never stored: an entry is a function of the
 * seed, so the model costs no memory inside a kernel module.
 *
 * Read on: hdcp14_authority.h.
 */
#include "drivers/hdmi_example/hdcp/hdcp14_authority.h"

uint64_t hdcp14_mix64(uint64_t v) {
  v += 0x9e3779b97f4a7c15ULL;
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
  v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
  return v ^ (v >> 31);
}

static uint64_t matrix_entry(uint64_t seed, unsigned int i, unsigned int j) {
  const unsigned int low = i < j ? i : j;
  const unsigned int high = i < j ? j : i;

  return hdcp14_mix64(hdcp14_mix64(seed) ^ (low * HDCP14_NR_KEYS + high)) & HDCP14_MASK56;
}

uint64_t hdcp14_authority_ksv(uint64_t seed, uint64_t index) {
  uint8_t cell[HDCP14_NR_KEYS];
  uint64_t state = hdcp14_mix64(seed ^ hdcp14_mix64(~index));
  uint64_t ksv = 0;
  unsigned int i;

  for (i = 0; i < HDCP14_NR_KEYS; i++) cell[i] = (uint8_t)i;
  /* The first 20 places of a shuffle are the bits that are set. */
  for (i = 0; i < HDCP14_KSV_ONES; i++) {
    unsigned int other;
    uint8_t swap;

    state = hdcp14_mix64(state);
    other = i + (unsigned int)(state % (HDCP14_NR_KEYS - i));
    swap = cell[i];
    cell[i] = cell[other];
    cell[other] = swap;
    ksv |= 1ULL << cell[i];
  }
  return ksv;
}

void hdcp14_authority_keys(uint64_t seed, uint64_t ksv, uint64_t *keys) {
  unsigned int i, j;

  for (i = 0; i < HDCP14_NR_KEYS; i++) {
    uint64_t sum = 0;

    for (j = 0; j < HDCP14_NR_KEYS; j++) {
      if ((ksv >> j) & 1u) sum += matrix_entry(seed, i, j);
    }
    keys[i] = sum & HDCP14_MASK56;
  }
}

void hdcp14_authority_device(uint64_t seed, uint64_t index, struct hdcp14_device_keys *out) {
  out->ksv = hdcp14_authority_ksv(seed, index);
  hdcp14_authority_keys(seed, out->ksv, out->keys);
}

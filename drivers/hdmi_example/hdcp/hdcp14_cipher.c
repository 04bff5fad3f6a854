/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp14_cipher.c: the HDCP 1.4 block cipher on packed 28-bit registers.
 *
 * Invariant: bit i of every word below is cell i of the register in the
 * published description; only bits 0..27 are ever set.
 *
 * A register is seen as four groups of seven bits.  "Spreading" a group puts its
 * bit j at position 4j; four spread groups, shifted by 0..3, interleave into 28
 * bits.  Both the S-box index (bits i, i+7, i+14, i+21) and the destinations of
 * the diffusion networks (every fourth cell) are such interleavings, so one small
 * table serves both and a round costs a few dozen word operations.
 *
 * Read on: hdcp14_cipher.h.
 */
#include "drivers/hdmi_example/hdcp/hdcp14_cipher.h"

#define MASK28 0x0fffffffu

struct module {
  uint32_t x, y, z;
};

/* Four LFSRs, newest bit at position 0, and the four shuffle cells. */
struct lfsr_module {
  uint32_t l[4];
  uint8_t cell_a[4], cell_b[4];
};

static const uint8_t kBoxB[7][16] = {
    {12, 9, 3, 0, 11, 5, 13, 6, 2, 4, 14, 7, 8, 15, 1, 10},
    {3, 8, 14, 1, 5, 2, 11, 13, 10, 4, 9, 7, 6, 15, 12, 0},
    {7, 4, 1, 10, 11, 13, 14, 3, 12, 15, 6, 0, 2, 8, 9, 5},
    {6, 3, 1, 4, 10, 12, 15, 2, 5, 14, 11, 8, 9, 7, 0, 13},
    {3, 6, 15, 12, 4, 1, 9, 2, 5, 8, 10, 7, 11, 13, 0, 14},
    {11, 14, 6, 8, 5, 2, 12, 7, 1, 4, 15, 3, 10, 13, 9, 0},
    {1, 11, 7, 4, 2, 5, 12, 9, 13, 6, 8, 15, 14, 0, 3, 10},
};
static const uint8_t kBoxK[7][16] = {
    {8, 14, 5, 9, 3, 0, 12, 6, 1, 11, 15, 2, 4, 7, 10, 13},
    {1, 6, 4, 15, 8, 3, 11, 5, 10, 0, 9, 12, 7, 13, 14, 2},
    {13, 11, 8, 6, 7, 4, 2, 15, 1, 12, 14, 0, 10, 3, 9, 5},
    {0, 14, 11, 7, 12, 3, 2, 13, 15, 4, 8, 1, 9, 10, 5, 6},
    {12, 7, 15, 8, 11, 14, 1, 4, 6, 10, 3, 5, 0, 9, 13, 2},
    {1, 12, 7, 2, 8, 3, 4, 14, 11, 5, 0, 15, 13, 6, 10, 9},
    {10, 7, 6, 1, 0, 14, 3, 13, 12, 9, 11, 2, 15, 5, 4, 8},
};

/* For output bit i: z taps of B, y tap of B, then the same of K. */
static const uint8_t kOutputTaps[24][16] = {
    {17, 26, 22, 27, 21, 18, 2, 5, 3, 6, 0, 9, 4, 22, 5, 10},
    {5, 20, 15, 24, 2, 25, 0, 16, 20, 18, 7, 23, 15, 5, 3, 25},
    {22, 5, 14, 16, 25, 17, 20, 11, 7, 19, 2, 10, 22, 4, 13, 21},
    {19, 3, 15, 11, 21, 16, 27, 1, 6, 14, 9, 8, 17, 18, 12, 24},
    {19, 6, 17, 18, 22, 7, 9, 12, 25, 6, 5, 2, 10, 15, 21, 8},
    {3, 7, 4, 8, 16, 6, 5, 17, 27, 14, 2, 4, 24, 19, 1, 12},
    {8, 21, 27, 2, 11, 24, 12, 3, 17, 26, 4, 16, 27, 7, 22, 11},
    {9, 5, 7, 4, 8, 13, 3, 15, 9, 10, 19, 11, 7, 6, 8, 23},
    {26, 13, 23, 10, 11, 7, 15, 19, 13, 12, 18, 24, 15, 23, 7, 16},
    {1, 0, 19, 11, 13, 16, 24, 18, 0, 5, 20, 25, 1, 24, 9, 27},
    {26, 13, 9, 14, 10, 4, 1, 2, 14, 23, 27, 25, 17, 19, 1, 22},
    {21, 15, 5, 3, 13, 25, 16, 27, 6, 21, 17, 15, 26, 11, 16, 7},
    {20, 7, 18, 12, 17, 1, 16, 0, 11, 22, 20, 0, 26, 23, 17, 2},
    {14, 23, 1, 12, 24, 6, 18, 9, 8, 4, 3, 14, 20, 26, 23, 15},
    {19, 6, 21, 25, 23, 1, 10, 8, 19, 0, 18, 2, 13, 8, 24, 14},
    {3, 0, 27, 23, 19, 8, 4, 7, 16, 21, 24, 25, 12, 27, 15, 18},
    {6, 5, 14, 22, 24, 18, 2, 21, 3, 5, 8, 25, 7, 27, 2, 26},
    {3, 4, 2, 6, 22, 14, 12, 26, 11, 14, 23, 17, 22, 13, 19, 4},
    {25, 21, 19, 9, 10, 15, 13, 22, 1, 16, 14, 11, 12, 6, 10, 19},
    {23, 11, 10, 20, 1, 12, 14, 4, 21, 1, 10, 20, 18, 26, 9, 13},
    {11, 26, 20, 17, 8, 23, 0, 24, 20, 21, 9, 25, 12, 3, 15, 0},
    {9, 17, 26, 4, 27, 0, 15, 6, 18, 12, 21, 27, 1, 16, 24, 20},
    {22, 12, 2, 10, 7, 20, 25, 13, 13, 0, 3, 16, 22, 11, 26, 9},
    {27, 24, 26, 8, 0, 9, 18, 23, 2, 0, 13, 5, 4, 8, 10, 3},
};

#define SPREAD(v)                                                                                 \
  (((v)&1u) | ((v)&2u) << 3 | ((v)&4u) << 6 | ((v)&8u) << 9 | ((v)&16u) << 12 | ((v)&32u) << 15 | \
   ((v)&64u) << 18)
#define SPREAD4(v) SPREAD(v), SPREAD((v) + 1), SPREAD((v) + 2), SPREAD((v) + 3)
#define SPREAD16(v) SPREAD4(v), SPREAD4((v) + 4), SPREAD4((v) + 8), SPREAD4((v) + 12)
#define SPREAD64(v) SPREAD16(v), SPREAD16((v) + 16), SPREAD16((v) + 32), SPREAD16((v) + 48)

static const uint32_t kSpread[128] = {SPREAD64(0u), SPREAD64(64u)};

static uint32_t parity7(uint32_t v) {
  v ^= v >> 4;
  return (0x6996u >> (v & 15u)) & 1u;
}

/* One diffusion network, its seven outputs already spread: outputs 0..5 are the
 * parity xor the input, output 6 is the parity alone. */
static uint32_t net(uint32_t in) { return kSpread[(in & 0x3fu) ^ (parity7(in) ? 0x7fu : 0u)]; }

/* The seven S-boxes; box i works on cells i, i+7, i+14, i+21. */
static uint32_t boxes(const uint8_t box[7][16], uint32_t x) {
  const uint32_t index = kSpread[x & 0x7fu] | kSpread[(x >> 7) & 0x7fu] << 1 |
                         kSpread[(x >> 14) & 0x7fu] << 2 | kSpread[(x >> 21) & 0x7fu] << 3;
  uint32_t z = 0;
  unsigned int i;

  for (i = 0; i < 7; i++) {
    const uint32_t v = box[i][(index >> (4 * i)) & 15u];

    z |= ((v & 1u) | (v & 2u) << 6 | (v & 4u) << 12 | (v & 8u) << 18) << i;
  }
  return z;
}

/* S-box layer and the eight networks of one module.  `mix` is the old Ky for
 * the B module and 0 for the K module. */
static void module_round(struct module *m, const uint8_t box[7][16], uint32_t mix) {
  const uint32_t y = m->y, z = m->z;
  const uint32_t n0 = net(z & 0x7fu);
  const uint32_t n1 = net(((z >> 7) & 7u) | (y & 7u) << 3 | ((y >> 12) & 1u) << 6);
  const uint32_t n2 = net(((z >> 10) & 7u) | ((y >> 3) & 7u) << 3 | ((y >> 13) & 1u) << 6);
  const uint32_t n3 = net(((z >> 13) & 7u) | ((y >> 6) & 7u) << 3 | ((y >> 14) & 1u) << 6);
  const uint32_t n4 = net(((z >> 16) & 7u) | ((y >> 9) & 7u) << 3 | ((y >> 15) & 1u) << 6);
  const uint32_t n5 = net(((y >> 16) & 15u) | ((z >> 19) & 7u) << 4);
  const uint32_t n6 = net(((y >> 20) & 15u) | ((z >> 22) & 7u) << 4);
  const uint32_t n7 = net(((y >> 24) & 15u) | ((z >> 25) & 7u) << 4);

  m->z = boxes(box, m->x);
  m->x = (n0 ^ kSpread[mix & 0x7fu]) | (n5 ^ kSpread[(mix >> 7) & 0x7fu]) << 1 |
         (n6 ^ kSpread[(mix >> 14) & 0x7fu]) << 2 | (n7 ^ kSpread[(mix >> 21) & 0x7fu]) << 3;
  m->y = n1 | n2 << 1 | n3 << 2 | n4 << 3;
}

/* B first, because it takes the Ky that K is about to replace. */
static void block_round(struct module *b, struct module *k) {
  module_round(b, kBoxB, k->y);
  module_round(k, kBoxK, 0);
}

static uint32_t bit(uint32_t v, unsigned int i) { return (v >> i) & 1u; }

static void lfsr_seed(struct lfsr_module *lm, uint64_t v) {
  unsigned int i;

  lm->l[0] = (uint32_t)(v & 0xfffu) | (uint32_t)(~(v >> 6) & 1u) << 12;
  lm->l[1] = (uint32_t)((v >> 12) & 0x1fffu) | (uint32_t)(~(v >> 18) & 1u) << 13;
  lm->l[2] = (uint32_t)((v >> 25) & 0x7fffu) | (uint32_t)(~(v >> 32) & 1u) << 15;
  lm->l[3] = (uint32_t)((v >> 40) & 0xffffu) | (uint32_t)(~(v >> 47) & 1u) << 16;
  for (i = 0; i < 4; i++) {
    lm->cell_a[i] = 0;
    lm->cell_b[i] = 1;
  }
}

static uint32_t parity32(uint32_t v) {
  v ^= v >> 16;
  v ^= v >> 8;
  v ^= v >> 4;
  return (0x6996u >> (v & 15u)) & 1u;
}

/* One clock; returns the module's output bit. */
static uint32_t lfsr_clock(struct lfsr_module *lm) {
  static const uint8_t taps[4][3] = {{3, 7, 12}, {4, 8, 13}, {5, 9, 15}, {5, 11, 16}};
  static const uint32_t feedback[4] = {
      1u << 4 | 1u << 8 | 1u << 10 | 1u << 12,
      1u << 3 | 1u << 5 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 13,
      1u << 4 | 1u << 6 | 1u << 7 | 1u << 11 | 1u << 14 | 1u << 15,
      1u << 4 | 1u << 10 | 1u << 14 | 1u << 16,
  };
  static const uint32_t mask[4] = {0x1fff, 0x3fff, 0xffff, 0x1ffff};
  uint32_t d = 0;
  unsigned int i;

  for (i = 0; i < 4; i++) d ^= bit(lm->l[i], taps[i][0]);
  for (i = 0; i < 4; i++) {
    const uint8_t old_a = lm->cell_a[i];
    const uint8_t old_b = lm->cell_b[i];

    if (bit(lm->l[i], taps[i][1])) {
      lm->cell_a[i] = (uint8_t)d;
      lm->cell_b[i] = old_a;
      d = old_b;
    } else {
      lm->cell_a[i] = old_b;
      lm->cell_b[i] = (uint8_t)d;
      d = old_a;
    }
  }
  for (i = 0; i < 4; i++) d ^= bit(lm->l[i], taps[i][2]);
  for (i = 0; i < 4; i++) lm->l[i] = (lm->l[i] << 1 | parity32(lm->l[i] & feedback[i])) & mask[i];
  return d;
}

/* Bits [first, first + nr) of the output function, lowest first. */
static uint32_t sample(const struct module *b, const struct module *k, unsigned int first,
                       unsigned int nr) {
  uint32_t out = 0;
  unsigned int i, j;

  for (i = 0; i < nr; i++) {
    const uint8_t *t = kOutputTaps[first + i];
    uint32_t v = bit(b->y, t[7]) ^ bit(k->y, t[15]);

    for (j = 0; j < 7; j++) v ^= bit(b->z, t[j]) & bit(k->z, t[j + 8]);
    out |= v << i;
  }
  return out;
}

static void load_input(struct module *b, uint64_t in64, bool repeater) {
  b->x = (uint32_t)in64 & MASK28;
  b->y = (uint32_t)(in64 >> 28) & MASK28;
  b->z = (uint32_t)(in64 >> 56) | (repeater ? 1u << 8 : 0u);
}

void hdcp14_block_cipher(uint64_t key56, bool repeater, uint64_t in64, struct hdcp14_block *out) {
  struct module b, k;
  struct lfsr_module lm;
  unsigned int i;

  k.x = (uint32_t)key56 & MASK28;
  k.y = (uint32_t)(key56 >> 28) & MASK28;
  k.z = 0;
  load_input(&b, in64, repeater);
  for (i = 0; i < 48; i++) block_round(&b, &k);

  out->key = (uint64_t)b.x | (uint64_t)b.y << 28;
  out->m = 0;
  out->r = 0;
  lfsr_seed(&lm, out->key);
  k = b;
  load_input(&b, in64, repeater);
  for (i = 0; i < 56; i++) {
    /* The last four clocks are sampled before their round. */
    if (i >= 52) {
      const unsigned int nth = i - 52;

      out->m |= (uint64_t)sample(&b, &k, 0, 16) << (48 - 16 * nth);
      if (nth >= 2) out->r |= (uint16_t)(sample(&b, &k, 16, 8) << (nth == 2 ? 8 : 0));
    }
    block_round(&b, &k);
    /* Rekey: the LFSR's bit replaces one cell of the key module. */
    k.y = (k.y & ~(1u << 13)) | lfsr_clock(&lm) << 13;
  }
}

uint64_t hdcp14_km(const uint64_t *keys, uint64_t other_ksv) {
  uint64_t sum = 0;
  unsigned int i;

  for (i = 0; i < HDCP14_NR_KEYS; i++) {
    if ((other_ksv >> i) & 1u) sum += keys[i];
  }
  return sum & HDCP14_MASK56;
}

bool hdcp14_ksv_valid(uint64_t ksv) {
  unsigned int ones = 0;
  uint64_t v;

  if (ksv & ~HDCP14_MASK40) return false;
  for (v = ksv; v != 0; v &= v - 1) ones++;
  return ones == HDCP14_KSV_ONES;
}

uint64_t hdcp14_get_le(const uint8_t *bytes, unsigned int nr) {
  uint64_t v = 0;

  while (nr-- > 0) v = v << 8 | bytes[nr];
  return v;
}

void hdcp14_put_le(uint64_t value, uint8_t *bytes, unsigned int nr) {
  unsigned int i;

  for (i = 0; i < nr; i++) bytes[i] = (uint8_t)(value >> (8 * i));
}

void hdcp14_link_start(struct hdcp14_link *link, uint64_t km, bool repeater, uint64_t an) {
  struct hdcp14_block out;

  hdcp14_block_cipher(km, repeater, an, &out);
  memset(link, 0, sizeof(*link));
  link->ks = out.key;
  link->m0 = out.m;
  link->m = out.m;
  link->r0 = out.r;
  link->ri = out.r;
  link->rj = out.r;
  link->repeater = repeater ? 1 : 0;
}

void hdcp14_link_advance(struct hdcp14_link *link, uint64_t frame) {
  while (link->frame < frame) {
    struct hdcp14_block out;

    hdcp14_block_cipher(link->ks, link->repeater != 0, link->m, &out);
    link->m = out.m;
    link->frame++;
    if (link->frame % HDCP14_RI_FRAMES == 0) link->ri = out.r;
    if (link->frame % HDCP14_PJ_FRAMES == 0) link->rj = out.r;
  }
}

uint8_t hdcp14_link_pj(const struct hdcp14_link *link, uint8_t first_pixel) {
  return (uint8_t)(first_pixel ^ (link->rj & 0xffu));
}

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * kup_abi.h -- the shared memory of a KUP channel, and how one asks for it.
 *
 * One header for a kernel module, a BPF program, C and C++.  Everything is
 * fixed width, padded by hand and pinned by assertions; there are offsets and
 * positions in it, never pointers, so that any number of processes may map a
 * channel at any address.
 *
 * Invariant: each word has ONE writer, and words of different writers never
 * share a page.  The device writes the device region (the user maps it
 * read-only), the user writes the user region:
 *
 *   device region                      user region
 *   [ page: struct kup_dev_page  ]     [ page: struct kup_user_page  ]
 *   [ pages: kup_counters[]      ]     [ pages: uint64_t params[]    ]
 *   [ d2u data, a power of two   ]     [ u2d data, a power of two    ]
 *   frames: d2u pool (own object)      frames: u2d pool (own object)
 *
 * d2u = device to user, u2d = user to device.  A reader maps a data area twice
 * back to back, so that each record is contiguous; a producer that cannot (BPF)
 * ends a lap with a KUP_REC_DISCARD record instead.
 *
 * Read on in docs/kup_protocol.md; the code that moves data is ring.h.
 */
#ifndef UWQ_KUP_ABI_H_
#define UWQ_KUP_ABI_H_

#ifdef __KERNEL__
#include <linux/build_bug.h>
#include <linux/ioctl.h>
#include <linux/stddef.h>
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#ifndef __bpf__ /* it cannot ask for a channel */
#include <sys/ioctl.h>
#endif
#endif

#ifdef __cplusplus
#define KUP_ASSERT(cond, text) static_assert(cond, text)
#else
#define KUP_ASSERT(cond, text) _Static_assert(cond, text)
#endif
#define KUP_PIN(type, field, at) \
  KUP_ASSERT(offsetof(struct type, field) == (at), #type "." #field " moved")

#define KUP_MAGIC 0x3150554bu /* "KUP1" in memory */
/* A reader refuses another major; a higher minor only adds what it may ignore. */
#define KUP_ABI_MAJOR 1
#define KUP_ABI_MINOR 0

#define KUP_PAGE_SIZE 4096u
#define KUP_ALIGN 16u      /* records start at multiples of it */
#define KUP_RING_MIN 4096u /* bytes of one data area, a power of two */
#define KUP_RING_MAX (1u << 30)
#define KUP_FRAMES_MAX 64u /* per pool */
#define KUP_FRAME_SIZE_MAX (1u << 30)
#define KUP_COUNTERS_PER_GROUP 15u
#define KUP_GROUPS_MAX 1024u
#define KUP_PARAMS_MAX 65536u
#define KUP_CHANNELS_MAX 1024u
#define KUP_NAME_MAX 64u /* with its terminating zero */

/* ---- records ------------------------------------------------------------- */

/*
 * What precedes each payload.  `len` counts payload bytes; the next record
 * starts at the next multiple of KUP_ALIGN.  The header never straddles the
 * end of the data area.  `seq` counts records and dropped records of its ring,
 * so that a gap tells how many were lost.
 */
struct kup_rec {
  uint32_t len;
  uint16_t type;
  uint16_t flags;
  uint32_t seq;
  uint32_t id; /* of a request and of its reply; else the sender's own */
};
KUP_ASSERT(sizeof(struct kup_rec) == 16, "kup_rec size");
KUP_PIN(kup_rec, type, 4);
KUP_PIN(kup_rec, flags, 6);
KUP_PIN(kup_rec, seq, 8);
KUP_PIN(kup_rec, id, 12);

#define KUP_REC_DISCARD 0x0001u     /* skip it: aborted, or end of a lap */
#define KUP_REC_REQUEST 0x0002u     /* the sender waits for a reply with this id */
#define KUP_REC_REPLY 0x0004u       /* answers the request with this id */
#define KUP_REC_ERROR 0x0008u       /* a reply that says: refused */
#define KUP_REC_FRAME 0x0010u       /* payload is struct kup_frame_desc */
#define KUP_REC_REDELIVERED 0x0020u /* an earlier user may have seen it, but did not release it */

#define KUP_TYPE_USER_MAX 0xfeffu /* types up to here belong to the application */
#define KUP_TYPE_LOST 0xff01u     /* payload is struct kup_lost */
#define KUP_TYPE_TURN 0xff02u     /* a message of KUP's own ping-pong calls */

struct kup_lost { /* records that found no room; in band, ahead of the next record */
  uint64_t records;
  uint64_t bytes;
  uint32_t first_seq;
  uint32_t last_seq;
};
KUP_ASSERT(sizeof(struct kup_lost) == 24, "kup_lost size");

/*
 * A buffer of a frame pool, handed over.  The receiver gives it back by storing
 * `use` in its own frame_done[index].
 */
struct kup_frame_desc {
  uint32_t index;
  uint32_t use; /* counts the uses of this buffer; never 0 */
  uint64_t len; /* bytes filled */
  uint64_t cookie;
};
KUP_ASSERT(sizeof(struct kup_frame_desc) == 24, "kup_frame_desc size");

/* ---- states and reasons ---------------------------------------------------- */

enum kup_state {
  KUP_STATE_NONE = 0, /* not set up */
  KUP_STATE_READY = 1,
  KUP_STATE_SHUTDOWN = 2, /* the device goes away in good order; drain what is there */
  KUP_STATE_REVOKED = 3,  /* memory is no longer looked at; writes are discarded */
  KUP_STATE_POISONED = 4  /* the peer broke the protocol: see kup_bad */
};

/* Why a channel was poisoned. */
enum kup_bad {
  KUP_BAD_NONE = 0,
  KUP_BAD_HEAD_ALIGN = 1, /* producer position not a multiple of KUP_ALIGN */
  KUP_BAD_HEAD_RANGE = 2, /* producer position more than a ring ahead */
  KUP_BAD_HEAD_BACK = 3,  /* producer position went backwards */
  KUP_BAD_TAIL_ALIGN = 4, /* consumer position not a multiple of KUP_ALIGN */
  KUP_BAD_TAIL_RANGE = 5, /* consumer position ahead of the producer or backwards */
  KUP_BAD_LEN = 6,        /* a record longer than max_record */
  KUP_BAD_SPAN = 7,       /* a record that ends behind the producer position */
  KUP_BAD_GENERATION = 8, /* generation changed under a live mapping */
  KUP_BAD_STATE = 9,      /* the peer declared the channel poisoned, or an unknown state */
  KUP_BAD_GEOMETRY = 10,  /* sizes or offsets that do not fit the memory */
  KUP_BAD_FRAME = 11,     /* a frame descriptor outside of the pool */
  KUP_BAD_TURN = 12,      /* a second KUP_TYPE_TURN before the first was answered */
  KUP_BAD_COUNT
};

/* ---- control pages ---------------------------------------------------------- */

/*
 * Words that the two sides touch at different times stand in different blocks of
 * 128 bytes: CPUs fetch lines in pairs, so that a store beside a word that the peer
 * polls takes that word's line away from it.
 *
 * Written by the device.  Positions are free-running byte counts; the byte of
 * position p stands at p & (size - 1).
 */
struct kup_dev_page {
  /* block 0: written before the memory is handed over, constant after */
  uint32_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t header_len; /* sizeof(struct kup_rec) */
  uint32_t features;   /* 0 */
  uint32_t generation; /* counts the users that attached to this channel; never 0 */
  uint32_t channel;
  uint32_t d2u_size;
  uint32_t u2d_size;
  uint32_t d2u_off;    /* of the data area in the device region */
  uint32_t u2d_off;    /* of the data area in the user region */
  uint32_t max_record; /* payload bytes */
  uint32_t n_params;
  uint32_t n_groups; /* of counters */
  uint32_t n_frames_d2u;
  uint32_t n_frames_u2d;
  uint32_t frame_size; /* bytes, a multiple of the page size */
  /* its second line */
  uint32_t state; /* enum kup_state */
  uint32_t error; /* enum kup_bad, when poisoned */
  uint64_t error_pos;
  uint64_t d2u_start; /* where this generation's user starts to read */
  uint64_t u2d_start; /* where it starts to write */
  uint32_t u2d_seq;   /* sequence number of its first record */
  uint8_t pad1[28];
  /* block 1: the device as producer; nothing else in these 128 bytes */
  uint64_t d2u_head;
  uint8_t pad2[120];
  /* block 2: the device as consumer */
  uint64_t u2d_tail;
  uint8_t pad3[120];
  /* block 3: rewritten only before the device sleeps */
  uint64_t u2d_wake_at;
  uint8_t pad4[56];
  uint64_t d2u_space_at;
  uint32_t frame_wait; /* the device waits for a d2u frame */
  uint8_t pad5[52];
  /* blocks 4 and 5: u2d frames that the device gave back */
  uint32_t frame_done[KUP_FRAMES_MAX];
  /* block 6: for observers */
  uint64_t d2u_records; /* published: shows loss at the end, where no sequence number can */
  uint64_t d2u_dropped_records;
  uint64_t d2u_dropped_bytes;
  uint64_t d2u_floor; /* bytes below may be overwritten: observers re-check it */
  uint8_t pad6[96];
  uint8_t pad7[3200];
};
KUP_ASSERT(sizeof(struct kup_dev_page) == 4096, "kup_dev_page size");
KUP_PIN(kup_dev_page, header_len, 8);
KUP_PIN(kup_dev_page, generation, 16);
KUP_PIN(kup_dev_page, d2u_size, 24);
KUP_PIN(kup_dev_page, d2u_off, 32);
KUP_PIN(kup_dev_page, max_record, 40);
KUP_PIN(kup_dev_page, n_groups, 48);
KUP_PIN(kup_dev_page, frame_size, 60);
KUP_PIN(kup_dev_page, state, 64);
KUP_PIN(kup_dev_page, error_pos, 72);
KUP_PIN(kup_dev_page, u2d_seq, 96);
KUP_PIN(kup_dev_page, d2u_head, 128);
KUP_PIN(kup_dev_page, u2d_tail, 256);
KUP_PIN(kup_dev_page, u2d_wake_at, 384);
KUP_PIN(kup_dev_page, d2u_space_at, 448);
KUP_PIN(kup_dev_page, frame_wait, 456);
KUP_PIN(kup_dev_page, frame_done, 512);
KUP_PIN(kup_dev_page, d2u_records, 768);
KUP_PIN(kup_dev_page, d2u_floor, 792);

/* Written by the user.  The device presets it before the hand-over. */
struct kup_user_page {
  /* block 0 */
  uint32_t generation; /* echo of kup_dev_page.generation */
  uint32_t state;      /* READY, or POISONED when the user found a violation */
  uint32_t error;      /* enum kup_bad */
  uint32_t pad0;
  uint64_t error_pos;
  uint8_t pad1[104];
  /* block 1: the user as consumer */
  uint64_t d2u_tail;
  uint8_t pad2[120];
  /* block 2: the user as producer */
  uint64_t u2d_head;
  uint8_t pad3[120];
  /* block 3: rewritten only before the user sleeps */
  uint64_t d2u_wake_at;
  uint8_t pad4[56];
  uint64_t u2d_space_at;
  uint32_t frame_wait; /* the user waits for a u2d frame */
  uint8_t pad5[52];
  /* blocks 4 and 5: d2u frames that the user gave back */
  uint32_t frame_done[KUP_FRAMES_MAX];
  /* block 6 */
  uint64_t u2d_records; /* published */
  uint8_t pad6[120];
  uint8_t pad7[3200];
};
KUP_ASSERT(sizeof(struct kup_user_page) == 4096, "kup_user_page size");
KUP_PIN(kup_user_page, state, 4);
KUP_PIN(kup_user_page, error_pos, 16);
KUP_PIN(kup_user_page, d2u_tail, 128);
KUP_PIN(kup_user_page, u2d_head, 256);
KUP_PIN(kup_user_page, d2u_wake_at, 384);
KUP_PIN(kup_user_page, u2d_space_at, 448);
KUP_PIN(kup_user_page, frame_wait, 456);
KUP_PIN(kup_user_page, frame_done, 512);
KUP_PIN(kup_user_page, u2d_records, 768);

/*
 * A group of counters that the device updates together.  `seq` is odd while it
 * writes; a reader copies the values and takes them if seq was even and is
 * unchanged.
 */
struct kup_counters {
  uint32_t seq;
  uint32_t pad;
  uint64_t value[KUP_COUNTERS_PER_GROUP];
};
KUP_ASSERT(sizeof(struct kup_counters) == 128, "kup_counters size");
KUP_PIN(kup_counters, value, 8);

/* ---- asking for a channel: ioctl of /dev/kup-NAME, message of sim:NAME ------- */

#define KUP_CHAN_ANY 0xffffffffu

/*
 * Filled by the user: magic, abi_*, op, channel, flags.  Everything else is the answer.
 * `error` is 0 or a positive errno: EPROTO (version), ECHRNG (channel number),
 * EBUSY (channel taken), EACCES, ESHUTDOWN, EINVAL, ENOMEM.
 */
struct kup_attach_args {
  uint32_t magic;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t op; /* enum kup_op */
  uint32_t channel;
  uint32_t error;
  uint32_t n_channels;
  uint32_t generation;
  int32_t fd; /* the channel's descriptor (ioctl only; close-on-exec) */
  uint64_t dev_region_len;
  uint64_t user_region_len;
  uint64_t frames_d2u_len; /* 0: no pool */
  uint64_t frames_u2d_len;
  uint32_t max_record;
  uint32_t flags; /* of the request: KUP_ATTACH_* */
  uint32_t reserved[2];
};
#define KUP_ATTACH_WAIT 1u /* a taken channel: wait until it is free instead of EBUSY */
KUP_ASSERT(sizeof(struct kup_attach_args) == 80, "kup_attach_args size");
KUP_PIN(kup_attach_args, op, 8);
KUP_PIN(kup_attach_args, error, 16);
KUP_PIN(kup_attach_args, fd, 28);
KUP_PIN(kup_attach_args, dev_region_len, 32);
KUP_PIN(kup_attach_args, max_record, 64);

enum kup_op {
  KUP_OP_INFO = 1,   /* n_channels only */
  KUP_OP_ATTACH = 2, /* become the user of `channel` */
  KUP_OP_OBSERVE = 3 /* the device region of `channel`, read-only */
};

/*
 * Answer of sim:NAME to ATTACH carries descriptors in this order (SCM_RIGHTS):
 * device region, user region, eventfd that wakes the user, eventfd that wakes
 * the device, d2u pool if any, u2d pool if any.  OBSERVE: device region alone.
 * Regions are sealed against shrinking and growing; the device's objects also
 * against new writable mappings.  The connection lives as long as the channel:
 * its end is how either side learns of the other's death.
 *
 * /dev/kup-NAME answers with kup_attach_args.fd, a descriptor of its own:
 *   mmap   offset KUP_MMAP_* plus the offset within that region; MAP_SHARED
 *   poll   POLLIN records, POLLOUT room, POLLHUP shutdown or revoked, POLLERR poisoned
 *   ioctl  KUP_IOC_DOORBELL after a publish or release whose event index asks
 *          for it; KUP_IOC_SET_EVENTFD for foreign event loops (-1: none)
 * close() of it detaches.
 */
enum kup_attach_fds {
  KUP_FD_DEV_REGION = 0,
  KUP_FD_USER_REGION = 1,
  KUP_FD_WAKE_USER = 2,
  KUP_FD_WAKE_DEVICE = 3,
  KUP_FD_FRAMES = 4, /* d2u pool if any, then u2d pool if any */
  KUP_FD_MAX = 6
};
#define KUP_MMAP_DEV 0x000000000ull
#define KUP_MMAP_USER 0x100000000ull
#define KUP_MMAP_FRAMES_D2U 0x1000000000ull
#define KUP_MMAP_FRAMES_U2D 0x3000000000ull

#define KUP_IOC_ATTACH _IOWR('K', 0x40, struct kup_attach_args)
#define KUP_IOC_DOORBELL _IO('K', 0x41)
#define KUP_IOC_SET_EVENTFD _IOW('K', 0x42, int32_t)

#endif /* UWQ_KUP_ABI_H_ */

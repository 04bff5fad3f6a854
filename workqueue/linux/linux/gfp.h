/* SPDX-License-Identifier: BSD-3-Clause */
/* <linux/gfp.h>: allocation flags; only __GFP_ZERO matters here. Read on:
 * docs/porting_from_linux.md. */
#ifndef UWQ_WORKQUEUE_LINUX_LINUX_GFP_H_
#define UWQ_WORKQUEUE_LINUX_LINUX_GFP_H_

#include <linux/types.h>

#define __GFP_ZERO ((gfp_t)0x100)
#define __GFP_NOWARN ((gfp_t)0x200)
#define __GFP_NOFAIL ((gfp_t)0x400)
#define __GFP_NORETRY ((gfp_t)0x800)
#define __GFP_RETRY_MAYFAIL ((gfp_t)0x1000)
#define GFP_ATOMIC ((gfp_t)0x1)
#define GFP_KERNEL ((gfp_t)0x2)
#define GFP_NOWAIT ((gfp_t)0x4)
#define GFP_NOIO ((gfp_t)0x8)
#define GFP_NOFS ((gfp_t)0x10)
#define GFP_USER ((gfp_t)0x20)
#define GFP_DMA ((gfp_t)0x40)
#define GFP_KERNEL_ACCOUNT GFP_KERNEL

#endif /* UWQ_WORKQUEUE_LINUX_LINUX_GFP_H_ */

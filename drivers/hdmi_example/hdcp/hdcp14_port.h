/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * hdcp14_port.h: the few names that the C sources of this driver example need
 * from their surroundings, so that one source builds into a Linux kernel module
 * and into a userspace program.
 *
 * Invariant: nothing here allocates, sleeps, or uses floating point.
 * Read on: hdcp14_cipher.h, ../device/hdmi_device.h.
 */
#ifndef UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_PORT_H_
#define UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_PORT_H_

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/string.h>
#include <linux/types.h>
#ifndef INT64_MAX
#define INT64_MAX S64_MAX
#endif
#else
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#endif

#endif /* UWQ_DRIVERS_HDMI_EXAMPLE_HDCP_HDCP14_PORT_H_ */

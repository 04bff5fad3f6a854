/* SPDX-License-Identifier: BSD-3-Clause
 *
 * header_alone_c.c -- the C header compiles alone, twice, and as strict C11.
 */
#include "workqueue/c/uwq.h"

struct uwq_work uwq_header_alone_item;

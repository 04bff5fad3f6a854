/* SPDX-License-Identifier: BSD-3-Clause
 *
 * module_fixture2.c -- the second module of module_test.sh: without an exit.
 */
#include <linux/module.h>

#include "module_fixture.h"

static int second_fail;
module_param(second_fail, int, 0);

void fixture_say(const char *module, const char *what) { pr_info("%s %s\n", module, what); }
EXPORT_SYMBOL_GPL(fixture_say);

static int __init second_init(void) {
  fixture_say("second", "init");
  return second_fail;
}
module_init(second_init);
MODULE_LICENSE("Dual BSD/GPL");

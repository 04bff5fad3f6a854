/* SPDX-License-Identifier: BSD-3-Clause
 *
 * module_fixture.c -- a module for module_test.sh: parameters, an order, a failure.
 */
#include "module_fixture.h"

#include <linux/module.h>

static int number = 5;
module_param(number, int, 0644);
MODULE_PARM_DESC(number, "printed");
static unsigned char small_number = 1;
module_param_named(small, small_number, byte, 0444);
static bool flag;
module_param(flag, bool, 0);
static char *text = "none";
module_param(text, charp, 0);
static int fail;
module_param(fail, int, 0);

static int __init fixture_init(void) {
  fixture_say("first", "init");
  pr_info("number=%d small=%d flag=%d text=%s\n", number, small_number, flag, text);
  return fail;
}
static void __exit fixture_exit(void) { fixture_say("first", "exit"); }
module_init(fixture_init);
module_exit(fixture_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_AUTHOR("uwq");
MODULE_DESCRIPTION("a module for a test");

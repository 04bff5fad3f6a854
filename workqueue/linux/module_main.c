/* SPDX-License-Identifier: BSD-3-Clause
 *
 * module_main.c -- the main() of a program that consists of modules only.
 */
#include "workqueue/linux/uwq_linux.h"

int main(int argc, char **argv) { return uwq_module_main(argc, argv); }

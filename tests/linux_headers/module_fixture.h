/* SPDX-License-Identifier: BSD-3-Clause
 *
 * module_fixture.h -- what the two modules of module_test.sh share.
 */
#ifndef UWQ_TESTS_LINUX_HEADERS_MODULE_FIXTURE_H_
#define UWQ_TESTS_LINUX_HEADERS_MODULE_FIXTURE_H_

void fixture_say(const char *module, const char *what);

#endif /* UWQ_TESTS_LINUX_HEADERS_MODULE_FIXTURE_H_ */

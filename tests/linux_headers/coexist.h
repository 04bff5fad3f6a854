/* SPDX-License-Identifier: BSD-3-Clause
 *
 * coexist.h -- the headers of the Linux layer together with the system's own.
 *
 * UWQ_FIRST decides who comes first; the names of both must work either way.
 */
#ifndef UWQ_TESTS_LINUX_HEADERS_COEXIST_H_
#define UWQ_TESTS_LINUX_HEADERS_COEXIST_H_

#ifdef UWQ_FIRST
#ifdef __cplusplus
#include <regex> /* the one that must come before <linux/init.h> */
#endif
#include "tests/linux_headers/all_headers.h"
#endif

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/cec.h>
#include <linux/i2c.h>
#include <linux/if.h>
#include <linux/input.h>
#include <linux/limits.h>
#include <linux/netlink.h>
#include <linux/random.h>
#include <linux/stat.h>
#include <linux/stddef.h>
#include <linux/swab.h>
#include <math.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <search.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <iostream>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <ranges>
#include <semaphore>
#include <shared_mutex>
#include <source_location>
#include <sstream>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>
#endif

#ifndef UWQ_FIRST
#include "tests/linux_headers/all_headers.h"
#endif

/* Something of each side. */
static inline int coexist_use(void) {
  struct sysinfo info;
  struct cec_msg message;
  struct i2c_msg i2c;
  struct input_event event;
  struct work_struct work = __WORK_INITIALIZER(work, NULL);
  DECLARE_DELAYED_WORK(dw, NULL);

  memset(&info, 0, sizeof(info));
  memset(&message, 0, sizeof(message));
  memset(&i2c, 0, sizeof(i2c));
  memset(&event, 0, sizeof(event));
  i2c.len = __swab16(1);
  return (int)info.uptime + (int)message.len + i2c.len + event.code + work_pending(&work) +
         delayed_work_pending(&dw) + EPROBE_DEFER + WNOHANG + (HZ == 1000) + MAX(1, 2) +
         (int)min(3, 4) + (int)max_t(int, 3, 4) + CLOCK_MONOTONIC + PATH_MAX;
}

#ifdef __cplusplus
inline int coexist_use_cxx() {
  std::vector<int> v{3, 1, 2};
  std::sort(v.begin(), v.end());
  std::barrier<> sync(1);
  sync.arrive_and_wait();
  return std::accumulate(v.begin(), v.end(), 0) + std::min(1, 2) + std::numeric_limits<int>::max() +
         std::clamp(5, 1, 3)
#ifdef __cpp_lib_source_location /* has a function that is called like a macro of <linux/sched.h> \
                                  */
         + static_cast<int>(std::source_location::current().line())
#endif
      ;
}
#endif

#endif /* UWQ_TESTS_LINUX_HEADERS_COEXIST_H_ */

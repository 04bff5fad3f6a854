// SPDX-License-Identifier: BSD-3-Clause
//
// cxx_test.cc -- the Linux headers in C++20, beside the standard library.
#include <gtest/gtest.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace {

struct Camera {
  work_struct frame;
  delayed_work poll;
  completion done;
  int frames = 0;
};

// Goal: items, delayed items and queues from C++.  Method: one of each, run to the end.
TEST(LinuxHeadersInCxx, WorkRuns_DelayedWorkRuns) {
  Camera camera;
  INIT_WORK(&camera.frame, [](work_struct* work) {
    Camera* const c = container_of(work, Camera, frame);
    c->frames++;
  });
  INIT_DELAYED_WORK(&camera.poll, [](work_struct* work) {
    Camera* const c = container_of(to_delayed_work(work), Camera, poll);
    c->frames += 10;
    complete(&c->done);
  });
  init_completion(&camera.done);
  workqueue_struct* const wq = alloc_workqueue("camera-%d", WQ_UNBOUND, 0, 1);
  ASSERT_NE(wq, nullptr);
  EXPECT_TRUE(queue_work(wq, &camera.frame));
  flush_work(&camera.frame);
  EXPECT_EQ(camera.frames, 1);
  EXPECT_TRUE(queue_delayed_work(wq, &camera.poll, 2));
  wait_for_completion(&camera.done);
  cancel_delayed_work_sync(&camera.poll);
  EXPECT_EQ(camera.frames, 11);
  destroy_workqueue(wq);
}

TEST(LinuxHeadersInCxx, LocksAndWaits_Work) {
  struct mutex lock;
  mutex_init(&lock);
  mutex_lock(&lock);
  EXPECT_TRUE(mutex_is_locked(&lock));
  mutex_unlock(&lock);
  spinlock_t spin;
  spin_lock_init(&spin);
  unsigned long flags;
  spin_lock_irqsave(&spin, flags);
  spin_unlock_irqrestore(&spin, flags);
  wait_queue_head_t queue;
  init_waitqueue_head(&queue);
  EXPECT_GE(wait_event_timeout(queue, true, 5), 1);
  rcu_read_lock();
  rcu_read_unlock();
}

// Goal: the headers leave the standard library alone.
TEST(LinuxHeadersInCxx, StandardNames_KeepTheirMeaning) {
  std::vector<int> v{3, 1, 2};
  std::sort(v.begin(), v.end());
  EXPECT_EQ(std::min(v[0], v[1]), 1);
  EXPECT_EQ(std::max(1, 2), 2);
  EXPECT_EQ(std::numeric_limits<unsigned char>::max(), 255);
  std::swap(v[0], v[1]);
  EXPECT_EQ(v[0], 2);
  EXPECT_EQ(min(3, 4), 3);
  EXPECT_EQ(max_t(int, 3, 4), 4);
  EXPECT_EQ(clamp(9, 1, 5), 5);
}

DECLARE_WORK(static_work, [](work_struct*) {});
DECLARE_DELAYED_WORK(static_delayed_work, [](work_struct*) {});

TEST(LinuxHeadersInCxx, StaticInitialisers_AreUsable) {
  EXPECT_FALSE(work_pending(&static_work));
  EXPECT_TRUE(schedule_work(&static_work));
  flush_work(&static_work);
  EXPECT_TRUE(schedule_delayed_work(&static_delayed_work, 1000 * HZ));
  EXPECT_TRUE(timer_pending(&static_delayed_work.timer));
  EXPECT_TRUE(cancel_delayed_work_sync(&static_delayed_work));
}

}  // namespace

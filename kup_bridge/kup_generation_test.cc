// SPDX-License-Identifier: BSD-3-Clause
//
// kup_generation_test.cc -- Goal: what belongs to one user never reaches the next, and
// who comes and goes is told in the order in which it happened, however attach, detach
// and revoke race.  Both ends in this process, as in kup_test.cc.
#include <atomic>
#include <cerrno>
#include <thread>

#include "kup_bridge/kupdev_core.h"
#include "kup_bridge/life_fixture.h"

namespace uwq::kup {
namespace {

// Goal: a reply that was on its way when the user changed does not go to the new one,
// whose calls have the same ids.  Method: the generation changes between the reply's
// call and the moment in which it may post.
TEST_F(KupLife, ReplyThatRacesWithTheNextUserIsStale) {
  Start();
  ASSERT_EQ(kup_request(ch_, 1, 5, "q", 1), 0);
  kup_msg request;
  ASSERT_EQ(kupdev_take(sc_, 0, &request, -1), 0);
  kup_end* end = &sc_->channels[0].end;
  std::atomic<bool> replying{false};
  int rc = 1;
  kup_lock_take(&end->tx_lock);
  std::thread device([&] {
    replying = true;
    rc = kupdev_reply(sc_, 0, &request, 0, "r", 1);
  });
  while (!replying) std::this_thread::yield();
  for (int i = 0; i < 100; ++i) std::this_thread::yield();  // it waits for the lock by now
  const uint32_t before = end->generation;
  end->generation = before + 1;
  kup_lock_drop(&end->tx_lock, 0);
  device.join();
  EXPECT_EQ(rc, -ESTALE);
  end->generation = before;
  EXPECT_EQ(kupdev_reply(sc_, 0, &request, 0, "r", 1), 0);
  EXPECT_EQ(kupdev_give_back(sc_, 0, &request, 1), 0);
}

}  // namespace
}  // namespace uwq::kup

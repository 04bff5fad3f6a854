#include <cstdio>

#include "absl/time/time.h"
#include "delayed/delayed_work.h"
#include "workqueue/workqueue.h"

int main() {
  auto wq = uwq::Workqueue::CreateOrdered("camera").value();
  uwq::Work frame([] { std::puts("frame handled"); });
  uwq::DelayedWork poll([] { std::puts("polled"); });
  wq->Queue(frame);                         // runs on a worker, once per queueing
  poll.Queue(*wq, absl::Milliseconds(20));  // never earlier than that
  wq->Flush();                              // "frame handled" is out
  poll.Flush();                             // the timer is cut short, "polled" is out
  bool pending = frame.CancelSync();        // neither pending nor running now
  return pending ? 1 : 0;
}

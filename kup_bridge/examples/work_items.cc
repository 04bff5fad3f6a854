// SPDX-License-Identifier: BSD-3-Clause
//
// work_items.cc -- messages of a device as work items: an interrupt line whose events are
// merged, and questions that are handled one by one and answered.
#include <cstring>

#include "absl/time/time.h"
#include "kup_bridge/bridge.h"
#include "kup_bridge/examples/example.h"
#include "kup_bridge/kupdev.h"

namespace {

enum : uint16_t { kHotplug = 1, kQuestion = 2 };

void Must(const absl::Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.ToString().c_str());
  exit(1);
}

}  // namespace

int main() {
  kupdev_softc* device;
  MUST(kupdev_open("fake:work_items", nullptr, &device));
  auto queue = uwq::Workqueue::CreateOrdered("driver");
  Must(queue.status());
  // A device that goes is looked for again each second.
  auto bridge = uwq::kup::Bridge::Open("fake:work_items", 0, {.reconnect = absl::Seconds(1)});
  Must(bridge.status());

  uint64_t hotplugs = 0;
  Must((*bridge)->OnEvent(kHotplug, **queue,
                          [&](const uwq::kup::Event& event) { hotplugs += event.count; }));
  Must((*bridge)->OnMessage(kQuestion, **queue, {.backlog = 16}, [](uwq::kup::Message& message) {
    Must(message.Reply(message.data()));
  }));
  Must((*bridge)->Start());

  for (int i = 0; i < 10; ++i) MUST(kupdev_post(device, 0, kHotplug, nullptr, 0));
  char answer[8] = "";
  MUST(kupdev_call(device, 0, kQuestion, "echo", 4, answer, sizeof answer, -1));
  Must((*bridge)->Drain());  // all of it has been handled
  printf("%lu hot-plug events, answer: %s\n", static_cast<unsigned long>(hotplugs), answer);

  bridge->reset();
  MUST(kupdev_unload(device));
  return hotplugs == 10 && strcmp(answer, "echo") == 0 ? 0 : 1;
}

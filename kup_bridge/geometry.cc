// SPDX-License-Identifier: BSD-3-Clause
//
// geometry.cc -- what a device says about its channel, checked.
//
// Apart from channel.cc, so that the fuzzer builds it with next to nothing else.
#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "kup_bridge/channel.h"

namespace uwq::kup {

namespace {

constexpr char kErrnoUrl[] = "uwq/errno";

bool IsRingSize(uint32_t size) {
  return size >= KUP_RING_MIN && size <= KUP_RING_MAX && (size & (size - 1)) == 0;
}

absl::Status BadGeometry(absl::string_view what, uint64_t value) {
  return ErrnoStatus(EPROTO, absl::StrCat("kup: the device announces ", what, " ", value));
}

}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view message) {
  absl::Status status(absl::ErrnoToStatusCode(error), message);
  status.SetPayload(kErrnoUrl, absl::Cord(absl::StrCat(error)));
  return status;
}

int ErrnoOf(const absl::Status& status) {
  if (status.ok()) return 0;
  int error = ENOMEM;  // mappings and descriptors are what else can fail
  if (auto payload = status.GetPayload(kErrnoUrl); payload.has_value()) {
    (void)absl::SimpleAtoi(std::string(*payload), &error);  // we wrote it
  }
  return -error;
}

absl::Status ReadGeometry(const kup_dev_page* page, const Link& link, kup_geometry* g,
                          uint32_t* d2u_off, uint32_t* u2d_off) {
  const uint32_t magic = kup_load(&page->magic);
  const uint16_t major = kup_load(&page->abi_major);
  g->generation = kup_load(&page->generation);
  g->channel = kup_load(&page->channel);
  g->max_record = kup_load(&page->max_record);
  g->d2u_size = kup_load(&page->d2u_size);
  g->u2d_size = kup_load(&page->u2d_size);
  g->n_params = kup_load(&page->n_params);
  g->n_groups = kup_load(&page->n_groups);
  g->n_frames_d2u = kup_load(&page->n_frames_d2u);
  g->n_frames_u2d = kup_load(&page->n_frames_u2d);
  g->frame_size = kup_load(&page->frame_size);
  *d2u_off = kup_load(&page->d2u_off);
  *u2d_off = kup_load(&page->u2d_off);
  if (magic != KUP_MAGIC) return BadGeometry("magic", magic);
  if (major != KUP_ABI_MAJOR) return BadGeometry("ABI major version", major);
  if (kup_load(&page->header_len) != sizeof(kup_rec)) {
    return BadGeometry("record header length", page->header_len);
  }
  if (!IsRingSize(g->d2u_size)) return BadGeometry("d2u_size", g->d2u_size);
  if (!IsRingSize(g->u2d_size)) return BadGeometry("u2d_size", g->u2d_size);
  if (g->max_record > kup_ring_max_record(std::min(g->d2u_size, g->u2d_size))) {
    return BadGeometry("max_record", g->max_record);
  }
  if (g->n_groups > KUP_GROUPS_MAX || *d2u_off % KUP_PAGE_SIZE != 0 ||
      *d2u_off < KUP_PAGE_SIZE + uint64_t{g->n_groups} * sizeof(kup_counters) ||
      uint64_t{*d2u_off} + g->d2u_size > link.dev.len) {
    return BadGeometry("d2u_off", *d2u_off);
  }
  if (g->n_frames_d2u > KUP_FRAMES_MAX || g->n_frames_u2d > KUP_FRAMES_MAX ||
      g->frame_size > KUP_FRAME_SIZE_MAX || g->frame_size % KUP_PAGE_SIZE != 0 ||
      ((g->n_frames_d2u | g->n_frames_u2d) != 0 && g->frame_size == 0)) {
    return BadGeometry("frame_size", g->frame_size);
  }
  if (link.user.fd < 0) return absl::OkStatus();  // an observer sees no more
  if (g->generation != link.generation) return BadGeometry("generation", g->generation);
  if (g->n_params > KUP_PARAMS_MAX || *u2d_off % KUP_PAGE_SIZE != 0 ||
      *u2d_off < KUP_PAGE_SIZE + uint64_t{g->n_params} * sizeof(uint64_t) ||
      uint64_t{*u2d_off} + g->u2d_size > link.user.len) {
    return BadGeometry("u2d_off", *u2d_off);
  }
  if (uint64_t{g->n_frames_d2u} * g->frame_size > link.frames_d2u.len ||
      uint64_t{g->n_frames_u2d} * g->frame_size > link.frames_u2d.len) {
    return BadGeometry("n_frames", g->n_frames_d2u);
  }
  return absl::OkStatus();
}

}  // namespace uwq::kup

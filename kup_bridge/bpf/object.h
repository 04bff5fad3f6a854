// SPDX-License-Identifier: BSD-3-Clause
//
// object.h -- source.bpf.c as clang compiled it, in the program's own memory.
#ifndef UWQ_KUP_BRIDGE_BPF_OBJECT_H_
#define UWQ_KUP_BRIDGE_BPF_OBJECT_H_

#include <cstddef>

namespace uwq::kup {

extern const unsigned char kBpfObject[];
extern const size_t kBpfObjectSize;

}  // namespace uwq::kup

#endif  // UWQ_KUP_BRIDGE_BPF_OBJECT_H_

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The copy that bypasses the caches on its way to memory: whole cache lines by non-temporal stores,
// which spare the read for ownership; the ragged ends by ordinary stores.
#include "base/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "reduce/stream_copy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "reduce/loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

void stream_copy(void* dst, const void* src, size_t bytes) {
  const Arguments a{
      .dst = dst, .sources = &src, .nsources = 1, .count = bytes, .store = Store::kStream};
  reduce_any_sink<Identity>(a);
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace goss::reduce {

StreamCopyFn stream_copy(int64_t target) {
  GOSS_SIMD_DISPATCH(target, stream_copy);
  return nullptr;
}

}  // namespace goss::reduce
#endif

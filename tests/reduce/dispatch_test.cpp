// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// That nothing is left without a kernel, and copies.
#include <numeric>

#include "reduce_cases.h"
#include "support/test_scale.h"

namespace goss::reduce {
namespace {

TEST(Dispatch, EveryTypeAndOperationHasAKernelInEveryInstructionSet) {
  for (const Case& c : all_cases()) {
    EXPECT_NE(isa_kernel(c.isa, c.type, c.op), nullptr) << testing::PrintToString(c);
    EXPECT_NE(kernel(c.type, c.op), nullptr) << testing::PrintToString(c);
    EXPECT_NE(scalar_kernel(c.type, c.op), nullptr) << testing::PrintToString(c);
  }
}

TEST(Dispatch, TheLastInstructionSetIsTheSpecification) {
  const Isa scalar = available_isas().back();
  EXPECT_EQ(isa_kernel(scalar, gossFloat32, gossSum), scalar_kernel(gossFloat32, gossSum));
}

// A pattern with a guard before and behind; copied at every small misalignment.
void check_copy(StreamCopyFn copy_bytes, size_t bytes, size_t dst_offset, size_t src_offset) {
  std::vector<uint8_t> source(bytes + 128);
  std::iota(source.begin(), source.end(), uint8_t{1});
  std::vector<uint8_t> target(bytes + 256, 0xa5);
  std::vector<uint8_t> expected = target;
  if (bytes != 0) std::memcpy(&expected[64 + dst_offset], &source[src_offset], bytes);
  copy_bytes(&target[64 + dst_offset], &source[src_offset], bytes);
  ASSERT_EQ(target, expected) << "bytes=" << bytes << ",dst_offset=" << dst_offset
                              << ",src_offset=" << src_offset;
}

void check_copies(StreamCopyFn copy_bytes) {
  for (size_t bytes = 0; bytes < static_cast<size_t>(test_scale(400, 200)); ++bytes) {
    for (const size_t dst_offset : {0, 1, 8, 63}) {
      for (const size_t src_offset : {0, 3, 32}) {
        check_copy(copy_bytes, bytes, dst_offset, src_offset);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
  for (const size_t bytes : {4095, 4096, 65537, 1 << 20}) check_copy(copy_bytes, bytes, 5, 2);
}

TEST(Copy, MovesEveryLengthAtEveryAlignmentAndNothingElse) {
  check_copies(
      [](void* dst, const void* src, size_t bytes) { copy(dst, src, bytes, Store::kCached); });
  check_copies(
      [](void* dst, const void* src, size_t bytes) { copy(dst, src, bytes, Store::kStream); });
}

TEST(Copy, StreamsInEveryInstructionSet) {
  for (const Isa& isa : available_isas()) {
    SCOPED_TRACE(isa.name);
    check_copies(isa_stream_copy(isa));
  }
}

TEST(Copy, ZeroBytesNeedNoPointers) {
  copy(nullptr, nullptr, 0, Store::kCached);
  copy(nullptr, nullptr, 0, Store::kStream);
}

}  // namespace
}  // namespace goss::reduce

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Every vector kernel gives the bits of the scalar specification: all types, operations, numbers of
// sources and short counts, any alignment, in place, with two destinations, with streaming stores.
// Bytes around the destinations stay as they were. The machine decides which sets are tested.
#include "reduce_cases.h"
#include "support/test_scale.h"

namespace goss::reduce {
namespace {

constexpr size_t kGuard = 64;
constexpr uint8_t kUntouched = 0xa5;

// One call: what is where, in bytes off a cache line.
struct Layout {
  size_t nsources;
  size_t count;
  int divisor = 1;
  size_t source_offset = 0;  // source s is at s times this off the line
  size_t dst_offset = 0;
  size_t dst2_offset = 0;
  bool second = false;
  Store store = Store::kCached;
  Store store2 = Store::kCached;
  int in_place = -1;   // source that dst is equal to
  int in_place2 = -1;  // and dst2; none, or another
  bool few_nans = false;
};

void PrintTo(const Layout& x, std::ostream* out) {
  *out << "nsources=" << x.nsources << ",count=" << x.count << ",divisor=" << x.divisor
       << ",source_offset=" << x.source_offset << ",dst_offset=" << x.dst_offset
       << ",dst2_offset=" << x.dst2_offset << ",second=" << x.second
       << ",stream=" << (x.store == Store::kStream) << (x.store2 == Store::kStream)
       << ",in_place=" << x.in_place << ",in_place2=" << x.in_place2 << ",few_nans=" << x.few_nans;
}

class Buffer {
 public:
  Buffer(size_t bytes, size_t offset) : bytes_(bytes), memory_(bytes + 4 * kGuard, kUntouched) {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    begin_ = memory_.data() + (kGuard - address % kGuard) + kGuard + offset;
  }
  uint8_t* data() { return begin_; }
  void fill(const uint8_t* from, size_t bytes) { std::memcpy(begin_, from, bytes); }
  std::vector<uint8_t> content() const { return {begin_, begin_ + bytes_}; }
  bool surroundings_untouched() const {
    for (const uint8_t* p = memory_.data(); p != memory_.data() + memory_.size(); ++p) {
      if ((p < begin_ || p >= begin_ + bytes_) && *p != kUntouched) return false;
    }
    return true;
  }

 private:
  size_t bytes_;
  std::vector<uint8_t> memory_;
  uint8_t* begin_;
};

// Elements to take inputs from: making them costs more than reducing them.
const std::vector<uint8_t>& pool(DataType type, bool few_nans) {
  static std::vector<uint8_t> pools[2][gossNumTypes];
  std::vector<uint8_t>& made = pools[few_nans ? 1 : 0][type];
  if (made.empty()) {
    Random random(20);
    made = few_nans ? elements_with_few_nans(type, 16384, random)
                    : random_elements(type, 16384, random);
  }
  return made;
}

class KernelParity : public testing::TestWithParam<Case> {
 protected:
  void check(const Layout& layout) {
    SCOPED_TRACE(testing::PrintToString(layout));
    const Case& c = GetParam();
    const size_t bytes = layout.count * type_size(c.type);
    std::vector<Buffer> sources;
    std::vector<const void*> pointers;
    sources.reserve(layout.nsources);
    for (size_t s = 0; s < layout.nsources; ++s) {
      sources.emplace_back(bytes, s * layout.source_offset % 64);
      const size_t first = random_() % (16384 - layout.count) * type_size(c.type);
      sources.back().fill(pool(c.type, layout.few_nans).data() + first, bytes);
      pointers.push_back(sources.back().data());
    }
    Buffer expected(bytes, 0);
    Arguments a{.dst = expected.data(),
                .sources = pointers.data(),
                .nsources = layout.nsources,
                .count = layout.count,
                .divisor = layout.divisor,
                .store = layout.store,
                .store2 = layout.store2};
    scalar_kernel(c.type, c.op)(a);

    Buffer own(bytes, layout.dst_offset);
    Buffer own2(bytes, layout.dst2_offset);
    Buffer& second = layout.in_place2 < 0 ? own2 : sources[static_cast<size_t>(layout.in_place2)];
    Buffer& dst = layout.in_place < 0 ? own : sources[static_cast<size_t>(layout.in_place)];
    a.dst = dst.data();
    if (layout.second) a.dst2 = second.data();
    isa_kernel(c.isa, c.type, c.op)(a);

    ASSERT_EQ(dst.content(), expected.content());
    ASSERT_TRUE(dst.surroundings_untouched());
    if (layout.second) {
      ASSERT_EQ(second.content(), expected.content());
    }
    ASSERT_TRUE(second.surroundings_untouched());
  }

  std::minstd_rand random_{20};
};

class AverageParity : public KernelParity {};
class ByteParity : public testing::TestWithParam<Case> {};
class HalfParity : public testing::TestWithParam<Case> {};

template <class Predicate>
std::vector<Case> cases_where(Predicate wanted) {
  std::vector<Case> cases;
  for (const Case& c : all_cases()) {
    if (wanted(c)) cases.push_back(c);
  }
  return cases;
}

TEST_P(KernelParity, ShortCountsGiveTheBitsOfTheSpecification) {
  const auto longest = static_cast<size_t>(test_scale(130, 66));
  for (const size_t nsources : {1, 2, 3, 4, 5, 6, 7, 8, 9, 17}) {
    for (size_t count = 0; count <= longest; ++count) {
      check({.nsources = nsources, .count = count, .divisor = static_cast<int>(nsources)});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(KernelParity, LongerPrimeCountsGiveTheBitsOfTheSpecification) {
  for (const size_t count : {257, 509, 1021, 2053, 4099}) {
    for (const size_t nsources : {1, 2, 3, 8}) {
      check({.nsources = nsources, .count = count, .divisor = static_cast<int>(nsources)});
      if (HasFatalFailure()) return;
    }
  }
}

// Kernels may do without what is for NaNs where there are none.
TEST_P(KernelParity, FewNansAmongManyNumbersGiveTheBitsOfTheSpecification) {
  for (const size_t nsources : {2, 3, 4, 8}) {
    for (const size_t count : {256, 1031, 4099}) {
      for (const bool in_place : {false, true}) {
        for (const Store store : {Store::kCached, Store::kStream}) {
          check({.nsources = nsources,
                 .count = count,
                 .divisor = static_cast<int>(nsources),
                 .second = store == Store::kStream,
                 .store = store,
                 .in_place = in_place ? 1 : -1,
                 .few_nans = true});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(KernelParity, AlignmentDoesNotChangeBits) {
  const size_t size = type_size(GetParam().type);
  for (const size_t source_offset : {size, size_t{1}, size_t{13}}) {
    for (const size_t dst_offset : {size_t{0}, size, size_t{1}, size_t{63}}) {
      for (const size_t count : {1, 7, 64, 67, 301}) {
        for (const size_t nsources : {1, 2, 5}) {
          check({.nsources = nsources,
                 .count = count,
                 .divisor = 3,
                 .source_offset = source_offset,
                 .dst_offset = dst_offset});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(KernelParity, TheDestinationMayBeAnySource) {
  for (const size_t nsources : {1, 2, 3, 6}) {
    for (int in_place = 0; in_place < static_cast<int>(nsources); ++in_place) {
      for (const size_t count : {1, 5, 63, 64, 65, 130, 523}) {
        for (const Store store : {Store::kCached, Store::kStream}) {
          check({.nsources = nsources,
                 .count = count,
                 .divisor = 7,
                 .source_offset = 3,
                 .second = count % 2 == 0,
                 .store = store,
                 .in_place = in_place});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(KernelParity, BothDestinationsMayBeSources) {
  for (const int nsources : {2, 3, 6}) {
    for (int in_place = 0; in_place < nsources; ++in_place) {
      for (const size_t count : {5, 64, 130, 523, 1031}) {
        for (const Store store : {Store::kCached, Store::kStream}) {
          check({.nsources = static_cast<size_t>(nsources),
                 .count = count,
                 .divisor = 7,
                 .second = true,
                 .store = store,
                 .store2 = store,
                 .in_place = in_place,
                 .in_place2 = (in_place + 1) % nsources});
          if (HasFatalFailure()) return;
        }
      }
    }
  }
}

TEST_P(KernelParity, StoresToTwoDestinationsOfEitherKindAgree) {
  const size_t size = type_size(GetParam().type);
  for (const Store store : {Store::kCached, Store::kStream}) {
    for (const Store store2 : {Store::kCached, Store::kStream}) {
      for (const size_t offset : {size_t{0}, size, size_t{1}, size_t{40}}) {
        for (const size_t offset2 : {size_t{0}, size, size_t{33}}) {
          for (const size_t count : {0, 1, 15, 66, 270}) {
            for (const size_t nsources : {1, 2, 3}) {
              check({.nsources = nsources,
                     .count = count,
                     .divisor = 3,
                     .dst_offset = offset,
                     .dst2_offset = offset2,
                     .second = true,
                     .store = store,
                     .store2 = store2});
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
}

TEST_P(KernelParity, StreamingStoresStartAtAnyOffset) {
  for (size_t offset = 0; offset < 64; ++offset) {
    for (const size_t count : {1, 20, 67, 129, 400}) {
      check({.nsources = 2,
             .count = count,
             .divisor = 2,
             .dst_offset = offset,
             .store = Store::kStream});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(AverageParity, AveragesDivideByAnyNumberOfRanks) {
  for (int divisor = 1; divisor <= test_scale(600, 300); ++divisor) {
    check({.nsources = 2, .count = 97, .divisor = divisor});
    if (HasFatalFailure()) return;
  }
  for (const int divisor :
       {1000, 1023, 1024, 4095, 4096, 4097, 65535, 65536, 1000003, 2147483647}) {
    check({.nsources = 1, .count = 97, .divisor = divisor});
    check({.nsources = 3, .count = 97, .divisor = divisor});
    if (HasFatalFailure()) return;
  }
}

// Every pair of codes.
TEST_P(ByteParity, AllPairsOfBytesGiveTheBitsOfTheSpecification) {
  const Case& c = GetParam();
  std::vector<uint8_t> left(256 * 256);
  std::vector<uint8_t> right(256 * 256);
  for (size_t i = 0; i < left.size(); ++i) {
    left[i] = static_cast<uint8_t>(i);
    right[i] = static_cast<uint8_t>(i / 256);
  }
  const void* sources[] = {left.data(), right.data()};
  for (const int divisor : {2, 3, 255}) {
    std::vector<uint8_t> expected(left.size());
    std::vector<uint8_t> actual(left.size());
    Arguments a{.dst = expected.data(),
                .sources = sources,
                .nsources = 2,
                .count = left.size(),
                .divisor = divisor};
    scalar_kernel(c.type, c.op)(a);
    a.dst = actual.data();
    isa_kernel(c.isa, c.type, c.op)(a);
    ASSERT_EQ(actual, expected);
    if (c.op != gossAvg) break;
  }
}

// Every code beside each special value: with -0 the sum is the conversion there and back.
TEST_P(HalfParity, AllHalvesGiveTheBitsOfTheSpecification) {
  const Case& c = GetParam();
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  for (const uint64_t other : special_values(c.type)) {
    const std::vector<uint16_t> same(all.size(), static_cast<uint16_t>(other));
    const void* sources[] = {all.data(), same.data()};
    std::vector<uint16_t> expected(all.size());
    std::vector<uint16_t> actual(all.size());
    Arguments a{.dst = expected.data(),
                .sources = sources,
                .nsources = 2,
                .count = all.size(),
                .divisor = 3};
    scalar_kernel(c.type, c.op)(a);
    a.dst = actual.data();
    isa_kernel(c.isa, c.type, c.op)(a);
    ASSERT_EQ(actual, expected) << "other=" << other;
  }
}

INSTANTIATE_TEST_SUITE_P(All, KernelParity, testing::ValuesIn(all_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(All, AverageParity, testing::ValuesIn(cases_where([](const Case& c) {
                           return c.op == gossAvg;
                         })),
                         case_name);
INSTANTIATE_TEST_SUITE_P(All, ByteParity, testing::ValuesIn(cases_where([](const Case& c) {
                           return type_size(c.type) == 1;
                         })),
                         case_name);
INSTANTIATE_TEST_SUITE_P(All, HalfParity, testing::ValuesIn(cases_where([](const Case& c) {
                           return type_size(c.type) == 2;
                         })),
                         case_name);

}  // namespace
}  // namespace goss::reduce

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// More than 2^31 elements and more than 4 GiB, once per collective; and sizes that overflow. All
// but one of the large ones run when GOSS_TEST_LARGE is 1: they take a second or two each.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "support/large_buffer.h"
#include "support/processes.h"
#include "support/ranks.h"

namespace goss::test {
namespace {

constexpr int kRanks = 2;
constexpr size_t kVector = (size_t{4} << 30) + LargeBuffer::kChunk;  // elements of a byte
constexpr size_t kBlock = (size_t{2} << 30) + LargeBuffer::kChunk;   // two of them: above 4 GiB

// Of byte `i` in a chunk. Only the ends of blocks tell ranks and blocks apart.
int content(size_t i, size_t rank, size_t block, int which) {
  const size_t end = which == 0 ? 0 : 5 * rank + 3 * block + static_cast<size_t>(which);
  return static_cast<int>((i / 64 + i + end) % 29);
}

using Content = std::function<int(size_t i, size_t block, int which)>;

void fill(const LargeBuffer& buffer, const Content& wanted) {
  buffer.each([&](std::byte* chunk, size_t block, int which) {
    for (size_t i = 0; i < LargeBuffer::kChunk; ++i) {
      chunk[i] = static_cast<std::byte>(wanted(i, block, which));
    }
  });
}

void require_content(const LargeBuffer& buffer, const Content& wanted) {
  buffer.each([&](const std::byte* chunk, size_t block, int which) {
    for (size_t i = 0; i < LargeBuffer::kChunk; ++i) {
      if (chunk[i] == static_cast<std::byte>(wanted(i, block, which))) continue;
      throw std::runtime_error("block " + std::to_string(block) + ", part " +
                               std::to_string(which) + ", byte " + std::to_string(i));
    }
  });
}

struct Case {
  const char* name;
  size_t send_blocks;
  size_t recv_blocks;
  size_t block;
  std::function<gossResult_t(const void* send, void* recv, const Rank& me)> call;
  // What rank `me` receives; empty: nothing.
  std::function<Content(const Rank& me)> result;
};

Content of_rank(size_t rank) {
  return [=](size_t i, size_t block, int which) { return content(i, rank, block, which); };
}
Content block_of_all(size_t own) {
  return [=](size_t i, size_t block, int which) { return content(i, block, own, which); };
}
Content sum(size_t first_block) {
  return [=](size_t i, size_t block, int which) {
    return content(i, 0, first_block + block, which) + content(i, 1, first_block + block, which);
  };
}

size_t own(const Rank& me) { return static_cast<size_t>(me.rank); }

std::vector<Case> cases() {
  constexpr gossDataType_t kType = gossInt8;
  static const size_t counts[] = {kBlock, kBlock};
  static const size_t places[] = {0, kBlock};
  const auto nothing = [](const Rank&) { return Content(); };
  const auto only_root = [](Content content_of_root) {
    return [=](const Rank& me) { return me.rank == 0 ? content_of_root : Content(); };
  };
  return {
      {"reduce_scatter", 2, 1, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossReduceScatter(s, r, kBlock, kType, gossSum, me.comm, nullptr);
       },
       [](const Rank& me) { return sum(own(me)); }},
      {"all_reduce", 1, 1, kVector,
       [](const void* s, void* r, const Rank& me) {
         return gossAllReduce(s, r, kVector, kType, gossSum, me.comm, nullptr);
       },
       [](const Rank&) { return sum(0); }},
      {"reduce", 1, 1, kVector,
       [](const void* s, void* r, const Rank& me) {
         return gossReduce(s, r, kVector, kType, gossSum, 0, me.comm, nullptr);
       },
       only_root(sum(0))},
      {"broadcast", 1, 1, kVector,
       [](const void* s, void* r, const Rank& me) {
         return gossBroadcast(s, r, kVector, kType, 1, me.comm, nullptr);
       },
       [](const Rank&) { return of_rank(1); }},
      {"all_gather", 1, 2, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossAllGather(s, r, kBlock, kType, me.comm, nullptr);
       },
       [](const Rank&) { return block_of_all(0); }},
      {"all_to_all", 2, 2, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossAlltoAll(s, r, kBlock, kType, me.comm, nullptr);
       },
       [](const Rank& me) { return block_of_all(own(me)); }},
      {"gather", 1, 2, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossGather(s, r, kBlock, kType, 0, me.comm, nullptr);
       },
       only_root(block_of_all(0))},
      {"scatter", 2, 1, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossScatter(s, r, kBlock, kType, 0, me.comm, nullptr);
       },
       [](const Rank& me) {
         const size_t mine = own(me);
         return [=](size_t i, size_t, int which) { return content(i, 0, mine, which); };
       }},
      {"all_gather_v", 1, 2, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossAllGatherv(s, r, counts, places, kType, me.comm, nullptr);
       },
       [](const Rank&) { return block_of_all(0); }},
      {"reduce_scatter_v", 2, 1, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossReduceScatterv(s, r, counts, kType, gossSum, me.comm, nullptr);
       },
       [](const Rank& me) { return sum(own(me)); }},
      {"all_to_all_v", 2, 2, kBlock,
       [](const void* s, void* r, const Rank& me) {
         return gossAlltoAllv(s, counts, places, r, counts, places, kType, me.comm, nullptr);
       },
       [](const Rank& me) { return block_of_all(own(me)); }},
      {"send_recv", 1, 1, kVector,
       [](const void* s, void* r, const Rank& me) {
         return me.rank == 0 ? gossSend(s, kVector, kType, 1, me.comm, nullptr)
                             : gossRecv(r, kVector, kType, 0, me.comm, nullptr);
       },
       [](const Rank& me) { return me.rank == 1 ? of_rank(0) : Content(); }},
      {"pre_mul_sum", 1, 1, kVector,
       [](const void* s, void* r, const Rank& me) {
         char one = 1;
         gossRedOp_t op = gossSum;
         MUST(gossRedOpCreatePreMulSum(&op, &one, kType, gossScalarHostImmediate, me.comm));
         return gossAllReduce(s, r, kVector, kType, op, me.comm, nullptr);
       },
       [](const Rank&) { return sum(0); }},
      {"barrier", 1, 1, 3 * LargeBuffer::kChunk,
       [](const void*, void*, const Rank& me) { return gossBarrier(me.comm, nullptr); }, nothing},
  };
}

void PrintTo(const Case& test, std::ostream* out) { *out << test.name; }

class Large : public ::testing::TestWithParam<Case> {};

TEST_P(Large, MoreElementsThanAnIntHoldsAndMoreThan4GiB) {
  const char* wanted = std::getenv("GOSS_TEST_LARGE");
  const bool all = wanted != nullptr && std::string(wanted) == "1";
  if (!all && std::string(GetParam().name) != "reduce_scatter") {
    GTEST_SKIP() << "takes a second or two: set GOSS_TEST_LARGE=1";
  }
  if (support::under_sanitizer()) GTEST_SKIP() << "too much shadow memory";
  run_ranks(kRanks, [](Rank& me) {
    const Case& test = GetParam();
    const LargeBuffer send(test.send_blocks, test.block);
    const LargeBuffer recv(test.recv_blocks, test.block);
    fill(send, of_rank(own(me)));
    fill(recv, [](size_t, size_t, int) { return 99; });
    MUST(test.call(send.data(), recv.data(), me));
    const Content result = test.result(me);
    if (result != nullptr) require_content(recv, result);
    require_content(send, of_rank(own(me)));
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, Large, ::testing::ValuesIn(cases()),
                         [](const auto& test) { return std::string(test.param.name); });

// A put of more than 4 GiB needs a window of as much memory.
TEST(LargeWindow, TakesMoreThan4GiB) {
  const char* wanted = std::getenv("GOSS_TEST_LARGE");
  if (wanted == nullptr || std::string(wanted) != "1") {
    GTEST_SKIP() << "needs 5 GiB of memory: set GOSS_TEST_LARGE=1";
  }
  if (support::under_sanitizer()) GTEST_SKIP() << "too much shadow memory";
  const long pages = ::sysconf(_SC_AVPHYS_PAGES);
  if (static_cast<size_t>(pages) * 4096 < kVector + (size_t{1} << 30)) {
    GTEST_SKIP() << "needs 5 GiB of memory, free are " << pages / 262144 << " GiB";
  }
  Comms comms = make_comms(1);
  void* memory = nullptr;
  gossWindow_t window = nullptr;
  MUST(gossMemAlloc(&memory, kVector));
  MUST(gossCommWindowRegister(comms[0], memory, kVector, &window, 0));
  const LargeBuffer send(1, kVector);
  fill(send, of_rank(0));
  MUST(gossPutSignal(send.data(), kVector, gossInt8, 0, window, 0, 0, 0, 0, comms[0], nullptr));
  const auto* got = static_cast<const std::byte*>(memory);
  for (size_t i : {size_t{0}, kVector / 2, kVector - 1}) EXPECT_EQ(got[i], send.data()[i]);
  MUST(gossMemFree(memory));
}

// Every product and sum of sizes that does not fit is told before anything is touched.
TEST(Sizes, ThatOverflowAreInvalidArguments) {
  run_ranks(2, [](Rank& me) {
    std::vector<double> x(16);
    void* b = x.data();
    const auto refused = [](gossResult_t code) { MUST_BE(gossInvalidArgument, code); };
    for (const size_t count : {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / 8, SIZE_MAX / 16 + 1}) {
      const size_t varied[] = {count, 1};
      const size_t one[] = {1, 1};
      const size_t places[] = {0, 1};
      const size_t far[] = {0, count};
      constexpr gossDataType_t kType = gossDouble;
      refused(gossAllReduce(b, b, count, kType, gossSum, me.comm, nullptr));
      refused(gossReduce(b, b, count, kType, gossSum, 0, me.comm, nullptr));
      refused(gossBroadcast(b, b, count, kType, 0, me.comm, nullptr));
      refused(gossBcast(b, count, kType, 0, me.comm, nullptr));
      refused(gossAllGather(b, b, count, kType, me.comm, nullptr));
      refused(gossReduceScatter(b, b, count, kType, gossSum, me.comm, nullptr));
      refused(gossAlltoAll(b, &x[8], count, kType, me.comm, nullptr));
      refused(gossGather(b, b, count, kType, 0, me.comm, nullptr));
      refused(gossScatter(b, b, count, kType, 0, me.comm, nullptr));
      refused(gossSend(b, count, kType, 1 - me.rank, me.comm, nullptr));
      refused(gossRecv(b, count, kType, 1 - me.rank, me.comm, nullptr));
      refused(gossAllGatherv(b, b, varied, places, kType, me.comm, nullptr));
      refused(gossAllGatherv(b, b, one, far, kType, me.comm, nullptr));
      refused(gossReduceScatterv(b, b, varied, kType, gossSum, me.comm, nullptr));
      refused(gossAlltoAllv(b, varied, places, &x[8], one, places, kType, me.comm, nullptr));
      refused(gossAlltoAllv(b, one, places, &x[8], one, far, kType, me.comm, nullptr));
      char text[8];
      refused(gossExplain(me.comm, "all_gather", count, kType, text, sizeof(text)));
    }
    MUST(gossBarrier(me.comm, nullptr));
  });
}

}  // namespace
}  // namespace goss::test

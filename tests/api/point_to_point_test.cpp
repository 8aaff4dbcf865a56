// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Send and receive through the public API.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <numeric>

#include "support/buffers.h"
#include "support/ranks.h"
#include "support/test_scale.h"

namespace goss::test {
namespace {

using Clock = std::chrono::steady_clock;

// Around every size at which messages begin to move differently.
const size_t kByteCounts[] = {0,     1,     7,     64,    207,   208,     209,     16383,
                              16384, 16385, 65535, 65536, 65537, 100'003, 262'144, 1'048'583};

class Messages : public ::testing::TestWithParam<int> {};

TEST_P(Messages, GoRoundARingInGroups) {
  run_ranks(GetParam(), [](Rank& me) {
    const int to = (me.rank + 1) % me.nranks;
    const int from = (me.rank + me.nranks - 1) % me.nranks;
    for (const Memory memory : {Memory::kPrivate, Memory::kUnaligned, Memory::kShared}) {
      for (const size_t bytes : kByteCounts) {
        Buffer send(memory, bytes);
        Buffer recv(memory, bytes);
        fill_message(send.data(), bytes, me.rank, to, bytes);
        MUST(gossGroupStart());
        MUST(gossSend(send.data(), bytes, gossUint8, to, me.comm, nullptr));
        MUST(gossRecv(recv.data(), bytes, gossUint8, from, me.comm, nullptr));
        MUST(gossGroupEnd());
        const std::string what = std::to_string(bytes) + " bytes";
        require_message(recv.data(), bytes, from, me.rank, bytes, what);
        require_message(send.data(), bytes, me.rank, to, bytes, what + ", input");
        recv.require_guards(what);
      }
    }
  });
}

TEST_P(Messages, OfAllPairsAtOnceArriveInTheirOrder) {
  run_ranks(GetParam(), [](Rank& me) {
    constexpr size_t kEach = 5;
    const auto n = static_cast<size_t>(me.nranks);
    const auto bytes_of = [](int from, int to, size_t number) {
      const size_t which = static_cast<size_t>(from) * 7 + static_cast<size_t>(to) * 3 + number;
      return kByteCounts[which % 12];
    };
    std::vector<std::vector<std::byte>> send(n * kEach);
    std::vector<std::vector<std::byte>> recv(n * kEach);
    MUST(gossGroupStart());
    for (size_t number = 0; number < kEach; ++number) {
      for (int peer = me.nranks - 1; peer >= 0; --peer) {
        const size_t index = static_cast<size_t>(peer) * kEach + number;
        send[index].resize(bytes_of(me.rank, peer, number));
        recv[index].resize(bytes_of(peer, me.rank, number));
        fill_message(send[index].data(), send[index].size(), me.rank, peer, number);
        // Everybody sends first, and much: whoever waited for room would wait for ever.
        MUST(gossSend(send[index].data(), send[index].size(), gossUint8, peer, me.comm, nullptr));
        MUST(gossRecv(recv[index].data(), recv[index].size(), gossUint8, peer, me.comm, nullptr));
      }
    }
    MUST(gossGroupEnd());
    for (int peer = 0; peer < me.nranks; ++peer) {
      for (size_t number = 0; number < kEach; ++number) {
        const auto& message = recv[static_cast<size_t>(peer) * kEach + number];
        require_message(message.data(), message.size(), peer, me.rank, number,
                        "message " + std::to_string(number));
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Api, Messages, ::testing::Values(1, 2, 3, 4, 5, 8, 13, 17),
                         [](const auto& n) { return "n" + std::to_string(n.param); });

TEST(MessagesAlone, WaitForTheirReceiverOnlyWhenTheyAreLong) {
  run_ranks(2, [](Rank& me) {
    std::vector<uint32_t> data(200'000);
    for (unsigned round = 0; round < 20; ++round) {
      const size_t count = round % 2 == 0 ? 1 + round : data.size() - round;
      if (me.rank == 0) {
        std::iota(data.begin(), data.end(), round);
        MUST(gossSend(data.data(), count, gossUint32, 1, me.comm, nullptr));
        std::fill(data.begin(), data.end(), 0u);  // it may be used again
        MUST(gossRecv(data.data(), count, gossUint32, 1, me.comm, nullptr));
      } else {
        MUST(gossRecv(data.data(), count, gossUint32, 0, me.comm, nullptr));
        MUST(gossSend(data.data(), count, gossUint32, 0, me.comm, nullptr));
      }
      for (size_t i = 0; i < count; ++i) {
        require(data[i] == round + static_cast<uint32_t>(i), "round " + std::to_string(round));
      }
    }
    // Four of 16 KiB are kept for a receiver that comes later.
    constexpr size_t kKept = 16384 / sizeof(uint32_t);
    if (me.rank == 0) {
      for (int i = 0; i < 4; ++i)
        MUST(gossSend(data.data(), kKept, gossUint32, 1, me.comm, nullptr));
    }
    MUST(gossBarrier(me.comm, nullptr));
    if (me.rank == 1) {
      for (int i = 0; i < 4; ++i)
        MUST(gossRecv(data.data(), kKept, gossUint32, 0, me.comm, nullptr));
    }
  });
}

TEST(MessagesInGroups, StandBesideCollectivesOfTheSameGroup) {
  run_ranks(4, [](Rank& me) {
    for (unsigned round = 0; round < 30; ++round) {
      const int peer = me.rank ^ 1;
      uint32_t sum = static_cast<uint32_t>(me.rank);
      std::vector<uint32_t> out(50'000, static_cast<uint32_t>(me.rank) + round);
      std::vector<uint32_t> in(50'000);
      std::vector<uint32_t> root(1000, static_cast<uint32_t>(me.rank));
      MUST(gossGroupStart());
      // The two sides call in different orders.
      if (me.rank % 2 == 0)
        MUST(gossSend(out.data(), out.size(), gossUint32, peer, me.comm, nullptr));
      MUST(gossAllReduce(&sum, &sum, 1, gossUint32, gossSum, me.comm, nullptr));
      MUST(gossRecv(in.data(), in.size(), gossUint32, peer, me.comm, nullptr));
      MUST(gossBcast(root.data(), root.size(), gossUint32, 3, me.comm, nullptr));
      if (me.rank % 2 == 1)
        MUST(gossSend(out.data(), out.size(), gossUint32, peer, me.comm, nullptr));
      MUST(gossGroupEnd());
      require(sum == 6 && root.front() == 3 && root.back() == 3, "collectives");
      for (uint32_t x : in) require(x == static_cast<uint32_t>(peer) + round, "message");
    }
  });
}

TEST(MessagesInGroups, OfEightRanksAreDrivenByOneThread) {
  constexpr int kRanks = 8;
  Comms comms = make_comms(kRanks);
  for (const size_t bytes : {size_t{8}, size_t{70'000}, size_t{1'000'000}}) {
    std::vector<std::vector<std::byte>> send(kRanks * kRanks);
    std::vector<std::vector<std::byte>> recv(kRanks * kRanks);
    MUST(gossGroupStart());
    for (int r = 0; r < kRanks; ++r) {
      for (int peer = 0; peer < kRanks; ++peer) {
        const auto index = static_cast<size_t>(r * kRanks + peer);
        send[index].resize(bytes);
        recv[index].resize(bytes);
        fill_message(send[index].data(), bytes, r, peer, bytes);
        MUST(gossSend(send[index].data(), bytes, gossInt8, peer, comms[r], nullptr));
        MUST(gossRecv(recv[index].data(), bytes, gossInt8, peer, comms[r], nullptr));
      }
    }
    MUST(gossGroupEnd());
    for (int r = 0; r < kRanks; ++r) {
      for (int peer = 0; peer < kRanks; ++peer) {
        require_message(recv[static_cast<size_t>(r * kRanks + peer)].data(), bytes, peer, r, bytes,
                        std::to_string(bytes));
      }
    }
  }
}

// Streams, and NULL among them: the group is one exchange all the same, ordered with all of them.
TEST(MessagesOnStreams, WaitForWhatIsBeforeThemAndAreWaitedFor) {
  run_ranks(2, [](Rank& me) {
    gossStream_t streams[2];
    for (gossStream_t& stream : streams) MUST(gossStreamCreate(&stream));
    const int peer = 1 - me.rank;
    for (unsigned round = 0; round < 20; ++round) {
      struct Data {
        uint32_t out[3] = {0, 0, 0};
        uint32_t in[3] = {0, 0, 0};
        bool late = false;
      } data;
      data.out[2] = round + 2;
      const auto write = [](void* at) {
        ::usleep(300);
        *static_cast<uint32_t*>(at) += 1;
      };
      for (size_t i = 0; i < 2; ++i) {
        data.out[i] = round;
        MUST(gossStreamAddCallback(streams[i], write, &data.out[i]));
      }
      MUST(gossGroupStart());
      for (size_t i = 0; i < 3; ++i) {
        gossStream_t stream = i < 2 ? streams[(i + static_cast<size_t>(me.rank)) % 2] : nullptr;
        const size_t which = i < 2 ? (i + static_cast<size_t>(me.rank)) % 2 : 2;
        MUST(gossSend(&data.out[which], 1, gossUint32, peer, me.comm, stream));
        MUST(gossRecv(&data.in[i], 1, gossUint32, peer, me.comm, stream));
      }
      MUST(gossGroupEnd());
      require(data.in[2] == round + 2, "a message on no stream is there when the group ends");
      for (gossStream_t stream : streams) MUST(gossStreamSynchronize(stream));
      require(data.in[0] == round + 1 && data.in[1] == round + 1,
              "what was written on the streams");
    }
    for (gossStream_t stream : streams) MUST(gossStreamDestroy(stream));
  });
}

TEST(MessagesOnStreams, OfNonBlockingCommunicators) {
  gossConfig_t config = default_config();
  config.blocking = 0;
  Comms comms = make_comms(2, config);
  const auto finish = [&] {
    for (int r = 0; r < 2; ++r) {
      gossResult_t state = gossInProgress;
      while (state == gossInProgress) MUST(gossCommGetAsyncError(comms[r], &state));
      MUST(state);
    }
  };
  finish();
  uint64_t in[2] = {0, 0};
  const uint64_t out[2] = {5, 6};
  for (int r = 0; r < 2; ++r) {
    MUST(gossGroupStart());
    EXPECT_EQ(gossSend(&out[r], 1, gossUint64, 1 - r, comms[r], nullptr), gossSuccess);
    EXPECT_EQ(gossRecv(&in[r], 1, gossUint64, 1 - r, comms[r], nullptr), gossSuccess);
    EXPECT_EQ(gossGroupEnd(), gossInProgress);
  }
  finish();
  EXPECT_EQ(in[0], 6u);
  EXPECT_EQ(in[1], 5u);
}

// ---- refusals

TEST(MessageArguments, ThatMakeNoSenseAreRefused) {
  Comms comms = make_comms(1);
  char byte = 0;
  const auto refused = [&](gossResult_t code, const char* why) {
    EXPECT_EQ(code, gossInvalidArgument);
    EXPECT_NE(last_error().find(why), std::string::npos) << last_error();
  };
  refused(gossSend(&byte, 1, gossInt8, 1, comms[0], nullptr), "invalid peer 1");
  refused(gossRecv(&byte, 1, gossInt8, -1, comms[0], nullptr), "invalid peer -1");
  refused(gossSend(nullptr, 1, gossInt8, 0, comms[0], nullptr), "buffer is NULL");
  refused(gossSend(&byte, 1, gossNumTypes, 0, comms[0], nullptr), "invalid type");
  refused(gossRecv(&byte, SIZE_MAX / 2, gossInt32, 0, comms[0], nullptr), "address space");
  refused(gossSend(&byte, 1, gossInt8, 0, nullptr, nullptr), "NULL");
  EXPECT_EQ(gossBarrier(comms[0], nullptr), gossSuccess);  // it goes on
}

TEST(MessageArguments, OfARefusedCallEndTheirGroup) {
  Comms comms = make_comms(1);
  int x = 3;
  int y = 0;
  MUST(gossGroupStart());
  EXPECT_EQ(gossSend(&x, 1, gossInt, 0, comms[0], nullptr), gossSuccess);
  EXPECT_EQ(gossRecv(&y, 1, gossInt, 7, comms[0], nullptr), gossInvalidArgument);
  EXPECT_EQ(gossGroupEnd(), gossInvalidArgument);
  EXPECT_EQ(last_error(), gossGetLastError(comms[0]));
  EXPECT_EQ(y, 0);
  MUST(gossGroupStart());
  MUST(gossSend(&x, 1, gossInt, 0, comms[0], nullptr));
  MUST(gossRecv(&y, 1, gossInt, 0, comms[0], nullptr));
  MUST(gossGroupEnd());
  EXPECT_EQ(y, 3);
}

struct Disagreement {
  const char* name;
  size_t sent;
  gossDataType_t sent_type;
  size_t received;
  gossDataType_t received_type;
};

TEST(MessagesThatDiffer, NameBothSidesOnBoth) {
  const Disagreement all[] = {{"count", 10, gossFloat, 11, gossFloat},
                              {"type", 10, gossFloat, 10, gossInt32},
                              {"long", 100'000, gossFloat, 100'000, gossUint32},
                              {"to_none", 5, gossFloat, 0, gossFloat},
                              {"in_place", 200'000, gossFloat, 100'000, gossFloat}};
  for (const Disagreement& d : all) {
    std::string texts[2];
    const auto begin = Clock::now();
    run_ranks(2, [&](Rank& me) {
      Buffer memory(Memory::kShared, 800'000);
      std::memset(memory.data(), 0x11, memory.bytes());
      gossResult_t code = gossSuccess;
      for (int tries = 0; tries < 3 && code == gossSuccess; ++tries) {
        // Rank 0 may have gone on after a short message: its next call tells.
        if (tries > 0) {
          code = gossBarrier(me.comm, nullptr);
        } else if (me.rank == 0) {
          code = gossSend(memory.data(), d.sent, d.sent_type, 1, me.comm, nullptr);
        } else {
          code = gossRecv(memory.data(), d.received, d.received_type, 0, me.comm, nullptr);
        }
      }
      require(code == gossInvalidUsage, std::string(d.name) + ": code " + std::to_string(code));
      texts[me.rank] = gossGetLastError(me.comm);
      const std::vector<std::byte> untouched(memory.bytes(), std::byte{0x11});
      require(me.rank == 0 || std::memcmp(memory.data(), untouched.data(), memory.bytes()) == 0,
              "the buffer was written");
    });
    EXPECT_LT(Clock::now() - begin, std::chrono::seconds(5)) << d.name;
    EXPECT_EQ(texts[0], texts[1]);
    EXPECT_NE(texts[0].find("sent " + std::to_string(d.sent)), std::string::npos) << texts[0];
    EXPECT_NE(texts[0].find("count " + std::to_string(d.received)), std::string::npos) << texts[0];
  }
}

TEST(MessagesThatDiffer, OnTheOwnRankAreRefused) {
  for (const size_t count : {size_t{4}, size_t{5}, SIZE_MAX}) {
    Comms comms = make_comms(1);
    std::vector<int> x(5), y(5);
    MUST(gossGroupStart());
    MUST(gossSend(x.data(), 4, gossInt, 0, comms[0], nullptr));
    if (count != SIZE_MAX) MUST(gossRecv(y.data(), count, gossInt, 0, comms[0], nullptr));
    EXPECT_EQ(gossGroupEnd(), count == 4 ? gossSuccess : gossInvalidUsage);
    if (count == SIZE_MAX) {
      EXPECT_NE(last_error().find("counterpart"), std::string::npos) << last_error();
    }
  }
}

TEST(MessagesWithoutCounterpart, EndWithTheLimitAndSayWhoWaitsForWhom) {
  gossConfig_t config = default_config();
  config.timeoutMs = 300;
  std::string texts[3];
  run_ranks(
      3,
      [&](Rank& me) {
        int x = 0;
        const gossResult_t code = gossRecv(&x, 1, gossInt, (me.rank + 1) % 3, me.comm, nullptr);
        require(code == gossTimeout, "code " + std::to_string(code));
        texts[me.rank] = gossGetLastError(me.comm);
      },
      config);
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
  EXPECT_NE(texts[0].find("receive(count 1, int"), std::string::npos) << texts[0];
  EXPECT_NE(texts[0].find("it is waiting to receive from rank"), std::string::npos) << texts[0];
}

TEST(MessagesWithoutCounterpart, OfARankThatHasLeftEndAtOnceAndEarlierOnesArrive) {
  gossConfig_t config = default_config();
  std::promise<void> sent;
  std::future<void> may_receive = sent.get_future();
  run_ranks(
      2,
      [&](Rank& me) {
        uint32_t x = 17;
        if (me.rank == 0) {
          MUST(gossSend(&x, 1, gossUint32, 1, me.comm, nullptr));
          MUST(gossCommDestroy(std::exchange(me.comm, nullptr)));
          sent.set_value();
          return;
        }
        may_receive.wait();
        x = 0;
        MUST(gossRecv(&x, 1, gossUint32, 0, me.comm, nullptr));
        require(x == 17, "sent before it left");
        const auto begin = Clock::now();
        require(gossRecv(&x, 1, gossUint32, 0, me.comm, nullptr) == gossRemoteError, "it has left");
        require(Clock::now() - begin < std::chrono::seconds(2), "at once");
        require(last_error().find("left") != std::string::npos, last_error());
      },
      config);
}

// The receiver has all of it and leaves while the sender sleeps.
TEST(MessagesReadInPlace, AreCompleteAlthoughTheReceiverHasLeft) {
  for (int round = 0; round < test_scale(40, 8); ++round) {
    run_ranks(2, [&](Rank& me) {
      Buffer memory(Memory::kShared, 70'000);
      if (me.rank == 0) {
        MUST(gossSend(memory.data(), memory.bytes(), gossUint8, 1, me.comm, nullptr));
        return;
      }
      ::usleep(static_cast<useconds_t>(3000 + 100 * round));
      MUST(gossRecv(memory.data(), memory.bytes(), gossUint8, 0, me.comm, nullptr));
      MUST(gossCommDestroy(std::exchange(me.comm, nullptr)));
    });
  }
}

}  // namespace
}  // namespace goss::test

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Host streams and events through the public API.
#include <gtest/gtest.h>

#include <future>

#include "support/ranks.h"

namespace goss::test {
namespace {

class Streams {
 public:
  explicit Streams(int n) : streams_(static_cast<size_t>(n)) {
    for (gossStream_t& stream : streams_) MUST(gossStreamCreate(&stream));
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;
  ~Streams() {
    for (gossStream_t stream : streams_) EXPECT_EQ(gossStreamDestroy(stream), gossSuccess);
  }
  gossStream_t operator[](int i) const { return streams_[static_cast<size_t>(i)]; }

 private:
  std::vector<gossStream_t> streams_;
};

// Keeps a stream busy until it is opened: a callback that the library's thread sits in.
class Brake {
 public:
  void hold(gossStream_t stream) {
    MUST(gossStreamAddCallback(
        stream, [](void* self) { static_cast<Brake*>(self)->wait(); }, this));
  }
  void release() { opened_.set_value(); }

 private:
  void wait() { opened_.get_future().wait(); }
  std::promise<void> opened_;
};

TEST(StreamApi, RunsCollectivesOfAllRanksInOneThread) {
  Comms comms = make_comms(4);
  const Streams streams(4);
  std::vector<std::vector<int>> x(4, std::vector<int>(20'000));
  for (int round = 1; round <= 20; ++round) {
    for (int r = 0; r < 4; ++r) {
      auto& mine = x[static_cast<size_t>(r)];
      for (int& value : mine) value = r + round;
      MUST(gossAllReduce(mine.data(), mine.data(), mine.size(), gossInt, gossSum, comms[r],
                         streams[r]));
      MUST(gossBcast(mine.data(), 100, gossInt, 2, comms[r], streams[r]));
    }
    for (int r = 0; r < 4; ++r) MUST(gossStreamSynchronize(streams[r]));
    for (const auto& mine : x) {
      for (int value : mine) ASSERT_EQ(value, 6 + 4 * round);
    }
  }
}

TEST(StreamApi, ReturnsFromACallBeforeItIsDone) {
  Comms comms = make_comms(2);
  const Streams streams(2);
  int x[2] = {1, 2};
  MUST(gossAllReduce(&x[0], &x[0], 1, gossInt, gossSum, comms[0], streams[0]));
  EXPECT_EQ(gossStreamQuery(streams[0]), gossInProgress) << "rank 1 has not called";
  MUST(gossAllReduce(&x[1], &x[1], 1, gossInt, gossSum, comms[1], streams[1]));
  MUST(gossStreamSynchronize(streams[0]));
  MUST(gossStreamSynchronize(streams[1]));
  EXPECT_EQ(gossStreamQuery(streams[0]), gossSuccess);
  EXPECT_EQ(x[0] + x[1], 6);
}

TEST(StreamApi, RunsCallbacksInOrderAfterTheWorkBefore) {
  Comms comms = make_comms(1);
  const Streams streams(1);
  struct Seen {
    int x = 41;
    std::vector<int> values;
  } seen;
  const auto look = [](void* data) {
    auto* s = static_cast<Seen*>(data);
    s->values.push_back(s->x);
  };
  static const int source = 7;
  MUST(gossStreamAddCallback(streams[0], look, &seen));
  MUST(gossAllReduce(&source, &seen.x, 1, gossInt, gossSum, comms[0], streams[0]));
  MUST(gossStreamAddCallback(streams[0], look, &seen));
  MUST(gossStreamSynchronize(streams[0]));
  EXPECT_EQ(seen.values, (std::vector<int>{41, 7}));
}

// Operations of one communicator run in the order of the calls, whatever the streams.
TEST(StreamApi, KeepsTheOrderOfOneCommunicatorAcrossStreams) {
  run_ranks(2, [](Rank& me) {
    const Streams streams(3);
    for (int round = 0; round < 30; ++round) {
      std::vector<int64_t> x(3000, me.rank + 1);
      // 1+2 = 3, twice 3 = 6, 12, 24: each call on another stream needs the one before it.
      for (int k = 0; k < 4; ++k) {
        MUST(gossAllReduce(x.data(), x.data(), x.size(), gossInt64, gossSum, me.comm,
                           streams[(round + k) % 3]));
      }
      for (int k = 0; k < 3; ++k) MUST(gossStreamSynchronize(streams[k]));
      for (int64_t value : x) require(value == 24, "got " + std::to_string(value));
    }
  });
}

TEST(StreamApi, LetsASynchronousCallWaitForTheQueuedOnes) {
  run_ranks(3, [](Rank& me) {
    const Streams streams(1);
    for (int round = 0; round < 50; ++round) {
      std::vector<int64_t> x(10'000, 1);
      MUST(gossAllReduce(x.data(), x.data(), x.size(), gossInt64, gossSum, me.comm, streams[0]));
      MUST(gossAllReduce(x.data(), x.data(), x.size(), gossInt64, gossSum, me.comm, nullptr));
      for (int64_t value : x) require(value == 9, "got " + std::to_string(value));
    }
  });
}

TEST(StreamApi, WaitsForAnEventOfAnotherStream) {
  const Streams streams(2);
  gossEvent_t event = nullptr;
  MUST(gossEventCreate(&event));
  Brake brake;
  std::vector<int> order;
  struct Note {
    std::vector<int>* order;
    int value;
  } first{&order, 1}, second{&order, 2};
  const auto write = [](void* data) {
    auto* note = static_cast<Note*>(data);
    note->order->push_back(note->value);
  };
  brake.hold(streams[0]);
  MUST(gossStreamAddCallback(streams[0], write, &first));
  MUST(gossEventRecord(event, streams[0]));
  MUST(gossStreamWaitEvent(streams[1], event));
  MUST(gossStreamAddCallback(streams[1], write, &second));
  EXPECT_EQ(gossEventQuery(event), gossInProgress);
  EXPECT_EQ(gossStreamQuery(streams[1]), gossInProgress);
  brake.release();
  MUST(gossStreamSynchronize(streams[1]));
  MUST(gossEventSynchronize(event));
  EXPECT_EQ(gossEventQuery(event), gossSuccess);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  MUST(gossEventDestroy(event));
}

TEST(StreamApi, TreatsAnEventNeverRecordedAsHappened) {
  const Streams streams(1);
  gossEvent_t event = nullptr;
  MUST(gossEventCreate(&event));
  MUST(gossEventQuery(event));
  MUST(gossEventSynchronize(event));
  MUST(gossStreamWaitEvent(streams[0], event));
  MUST(gossStreamSynchronize(streams[0]));
  MUST(gossEventDestroy(event));
}

TEST(StreamApi, UsesTheEventAsItWasWhenTheWaitWasQueued) {
  const Streams streams(2);
  gossEvent_t event = nullptr;
  MUST(gossEventCreate(&event));
  MUST(gossEventRecord(event, streams[0]));
  MUST(gossStreamSynchronize(streams[0]));
  MUST(gossStreamWaitEvent(streams[1], event));  // of the first record
  Brake brake;
  brake.hold(streams[0]);
  MUST(gossEventRecord(event, streams[0]));
  EXPECT_EQ(gossEventQuery(event), gossInProgress);
  // The library's one thread sits in the callback, so streams[1] goes on afterwards.
  brake.release();
  MUST(gossStreamSynchronize(streams[1]));
  MUST(gossEventDestroy(event));            // with a record perhaps still in the queue: allowed
  MUST(gossStreamSynchronize(streams[0]));  // the brake is in use until here
}

TEST(StreamApi, KeepsAWaitForAnEventThatIsRecordedAgainElsewhere) {
  Comms comms = make_comms(2);
  const Streams streams(3);
  gossEvent_t event = nullptr;
  MUST(gossEventCreate(&event));
  int x = 1;
  int y = 1;
  bool ran = false;
  MUST(gossAllReduce(&x, &x, 1, gossInt, gossSum, comms[0], streams[0]));  // rank 1 is late
  MUST(gossEventRecord(event, streams[0]));
  MUST(gossStreamWaitEvent(streams[1], event));
  MUST(gossStreamAddCallback(
      streams[1], [](void* done) { *static_cast<bool*>(done) = true; }, &ran));
  MUST(gossEventRecord(event, streams[2]));  // an idle stream: reached at once
  MUST(gossEventSynchronize(event));
  EXPECT_EQ(gossStreamQuery(streams[1]), gossInProgress) << "the first record is not reached";
  MUST(gossAllReduce(&y, &y, 1, gossInt, gossSum, comms[1], nullptr));
  MUST(gossStreamSynchronize(streams[1]));
  EXPECT_TRUE(ran);
  MUST(gossStreamSynchronize(streams[0]));
  MUST(gossEventDestroy(event));
}

TEST(StreamApi, ReturnsTheFirstFailureFromSynchronizeAndQuery) {
  Comms comms = make_comms(2);
  const Streams streams(2);
  float x = 0;
  double y = 0;
  MUST(gossAllReduce(&x, &x, 1, gossFloat, gossSum, comms[0], streams[0]));
  MUST(gossAllReduce(&y, &y, 1, gossDouble, gossSum, comms[1], streams[1]));
  EXPECT_EQ(gossStreamSynchronize(streams[0]), gossInvalidUsage);
  EXPECT_EQ(gossStreamSynchronize(streams[1]), gossInvalidUsage);
  EXPECT_NE(last_error().find("double"), std::string::npos) << last_error();
  EXPECT_EQ(gossStreamQuery(streams[0]), gossInvalidUsage) << "it stays with the stream";
  gossResult_t state = gossSuccess;
  MUST(gossCommGetAsyncError(comms[0], &state));
  EXPECT_EQ(state, gossInvalidUsage);
}

TEST(StreamApi, DrainsAStreamThatIsDestroyed) {
  Comms comms = make_comms(2);
  std::vector<int> x[2] = {std::vector<int>(50'000, 1), std::vector<int>(50'000, 2)};
  gossStream_t streams[2];
  for (int r = 0; r < 2; ++r) {
    MUST(gossStreamCreate(&streams[r]));
    MUST(gossAllReduce(x[r].data(), x[r].data(), x[r].size(), gossInt, gossSum, comms[r],
                       streams[r]));
  }
  MUST(gossStreamDestroy(streams[0]));
  for (int value : x[0]) ASSERT_EQ(value, 3);
  MUST(gossStreamDestroy(streams[1]));
  for (int value : x[1]) ASSERT_EQ(value, 3);
}

TEST(StreamApi, WorksFromManyThreadsWithTheirOwnStreams) {
  run_ranks(4, [](Rank& me) {
    const Streams streams(1);
    std::vector<int> x(1000);
    for (int round = 0; round < 100; ++round) {
      for (int& value : x) value = me.rank;
      MUST(gossAllReduce(x.data(), x.data(), x.size(), gossInt, gossSum, me.comm, streams[0]));
      if (round % 7 == 0) MUST(gossBarrier(me.comm, nullptr));
      MUST(gossStreamSynchronize(streams[0]));
      for (int value : x) require(value == 6, "got " + std::to_string(value));
    }
  });
}

TEST(StreamApi, RefusesNulls) {
  gossStream_t stream = nullptr;
  gossEvent_t event = nullptr;
  EXPECT_EQ(gossStreamCreate(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossEventCreate(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossStreamDestroy(nullptr), gossSuccess);
  EXPECT_EQ(gossEventDestroy(nullptr), gossSuccess);
  EXPECT_EQ(gossStreamSynchronize(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossStreamQuery(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossEventQuery(nullptr), gossInvalidArgument);
  EXPECT_EQ(gossEventSynchronize(nullptr), gossInvalidArgument);
  MUST(gossStreamCreate(&stream));
  MUST(gossEventCreate(&event));
  EXPECT_EQ(gossStreamAddCallback(stream, nullptr, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossStreamAddCallback(
                nullptr, [](void*) {}, nullptr),
            gossInvalidArgument);
  EXPECT_EQ(gossStreamWaitEvent(stream, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossStreamWaitEvent(nullptr, event), gossInvalidArgument);
  EXPECT_EQ(gossEventRecord(event, nullptr), gossInvalidArgument);
  EXPECT_EQ(gossEventRecord(nullptr, stream), gossInvalidArgument);
  EXPECT_EQ(gossEventQuery(event), gossSuccess) << "a refused record leaves no trace";
  MUST(gossStreamDestroy(stream));
  MUST(gossEventDestroy(event));
}

}  // namespace
}  // namespace goss::test

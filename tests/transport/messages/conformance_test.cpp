// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What every Messenger must do. Run once for each network that UCX has on one host.
#include <poll.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "support/test_scale.h"
#include "transport/messages/messengers.h"

namespace goss::transport::test {
namespace {

using State = MessageRequest::State;

std::span<std::byte> all_of(std::vector<std::byte>& data) { return data; }

TEST(Messenger, DeliversEveryLengthAtEveryAlignment) {
  GOSS_MESSENGERS(ranks, 2);
  const std::vector<size_t> lengths = {
      0,    1,    2,      7,      63,     976,     977,     1021,      4099,     8191,
      8192, 8193, 65'471, 65'537, 99'991, 262'144, 262'145, 1'048'583, 4'194'304};
  uint64_t number = 0;
  for (const size_t bytes : lengths) {
    for (const size_t shift : {0, 1, 3}) {
      const std::vector<std::byte> sent = pattern(bytes + shift, number);
      std::vector<std::byte> received(bytes + shift + 1, std::byte{0xee});
      const MessageKey key{7, number++};
      MessageRequest send, receive;
      ranks[1].receive(0, key, all_of(received).subspan(shift, bytes), &receive);
      ranks[0].send(1, key, std::span(sent).subspan(shift), &send);
      ASSERT_TRUE(ranks.ended(receive) && ranks.ended(send)) << bytes;
      ASSERT_TRUE(done(receive) && done(send)) << receive.failure.message();
      EXPECT_EQ(receive.bytes, bytes);
      EXPECT_TRUE(std::equal(sent.begin() + shift, sent.end(), received.begin() + shift)) << bytes;
      EXPECT_EQ(received.back(), std::byte{0xee}) << bytes;
    }
  }
}

TEST(Messenger, SaysWhatCarriesItsMessagesOnceItIsOpen) {
  GOSS_MESSENGERS(ranks, 2);
  EXPECT_EQ(ranks[0].describe(1), "");
  std::vector<std::byte> sent(10), received(10);
  MessageRequest send, receive;
  ranks[1].receive(0, {1, 1}, received, &receive);
  ranks[0].send(1, {1, 1}, sent, &send);
  ASSERT_TRUE(ranks.ended(receive) && ranks.ended(send));
  const std::string told = ranks[0].describe(1);  // "tcp/lo", "posix/memory"
  const char* networks = std::getenv("UCX_TLS");
  ASSERT_NE(networks, nullptr);
  const std::string first = std::string(networks).substr(0, std::string(networks).find(','));
  EXPECT_EQ(told.rfind(first + "/", 0), 0u) << told;
  EXPECT_EQ(told.find_first_of("[]#:>"), std::string::npos) << told;
}

TEST(Messenger, DeliversSixtyFourMebibytesBothWaysAtOnce) {
  GOSS_MESSENGERS(ranks, 2);
  const size_t bytes = static_cast<size_t>(test_scale(64, 4)) << 20;
  std::vector<std::vector<std::byte>> sent, received;
  std::vector<MessageRequest> requests(4);
  for (int rank = 0; rank < 2; ++rank) {
    sent.push_back(pattern(bytes, static_cast<uint64_t>(rank)));
    received.emplace_back(bytes);
  }
  for (int rank = 0; rank < 2; ++rank) {
    const auto me = static_cast<size_t>(rank);
    ranks[rank].receive(1 - rank, {1, 1}, received[me], &requests[2 * me]);
    ranks[rank].send(1 - rank, {1, 1}, sent[me], &requests[2 * me + 1]);
  }
  ASSERT_TRUE(ranks.all_ended(requests));
  EXPECT_EQ(received[0], sent[1]);
  EXPECT_EQ(received[1], sent[0]);
}

TEST(Messenger, KeepsTheOrderOfEqualKeys) {
  GOSS_MESSENGERS(ranks, 2);
  const int count = 400;
  std::vector<std::vector<std::byte>> sent, received(count);
  std::vector<MessageRequest> sends(count), receives(count);
  for (int i = 0; i < count; ++i) {
    // Short ones overtake long ones if anything lets them.
    sent.push_back(
        pattern(i % 5 == 0 ? 150'000 : static_cast<size_t>(i), static_cast<uint64_t>(i)));
    received[static_cast<size_t>(i)].resize(sent.back().size());
  }
  for (size_t i = 0; i < count; ++i) {
    if (i % 2 == 0) ranks[1].receive(0, {3, 3}, received[i], &receives[i]);
    if (i % 2 == 0) ranks[1].receive(0, {3, 3}, received[i + 1], &receives[i + 1]);
    ranks[0].send(1, {3, 3}, sent[i], &sends[i]);
    if (i % 16 == 0) ranks.progress();
  }
  ASSERT_TRUE(ranks.all_ended(receives) && ranks.all_ended(sends));
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(received[i], sent[i]) << i;
}

TEST(Messenger, MatchesManyKeysInWhateverOrderTheyAreAskedFor) {
  GOSS_MESSENGERS(ranks, 3);
  const auto count = static_cast<size_t>(test_scale(3000, 200));
  std::vector<uint64_t> values(2 * count), got(2 * count);
  std::vector<MessageRequest> sends(2 * count), receives(2 * count);
  const auto key = [&](size_t i) { return MessageKey{i % 3, i / 3}; };
  for (size_t i = 0; i < 2 * count; ++i) {
    values[i] = 1000 + i;
    const int sender = i < count ? 0 : 2;  // equal keys of two senders
    ranks[sender].send(1, key(i % count), std::as_bytes(std::span(&values[i], 1)), &sends[i]);
    if (i % 64 == 0) ranks.progress();
  }
  for (size_t i = 2 * count; i-- > 0;) {
    const int sender = i < count ? 0 : 2;
    ranks[1].receive(sender, key(i % count), std::as_writable_bytes(std::span(&got[i], 1)),
                     &receives[i]);
  }
  ASSERT_TRUE(ranks.all_ended(receives) && ranks.all_ended(sends));
  EXPECT_EQ(got, values);
}

TEST(Messenger, MemoryForWhatNobodyAskedForIsBounded) {
  GOSS_MESSENGERS(ranks, 2);
  const size_t count = 200, bytes = 100'000;
  const std::vector<std::byte> sent = pattern(bytes, 1);
  std::vector<std::vector<std::byte>> received(count, std::vector<std::byte>(bytes));
  std::vector<MessageRequest> sends(count), receives(count);
  for (size_t i = 0; i < count; ++i) ranks[0].send(1, {1, i}, sent, &sends[i]);
  ranks.progress_for(milliseconds(300));
  // A network's own buffers come on top, but not 20 MB.
  EXPECT_LT(ranks[0].sent_bytes(), size_t{1} << 20);
  for (size_t i = count; i-- > 0;) ranks[1].receive(0, {1, i}, received[i], &receives[i]);
  ASSERT_TRUE(ranks.all_ended(receives) && ranks.all_ended(sends));
  for (size_t i = 0; i < count; ++i) ASSERT_EQ(received[i], sent) << i;
  EXPECT_GT(ranks[0].sent_bytes(), count * bytes);
}

TEST(Messenger, AMessageLongerThanItsBufferFailsAlone) {
  GOSS_MESSENGERS(ranks, 2);
  for (const bool early : {true, false}) {
    for (const size_t bytes : {100, 300'000}) {
      const std::vector<std::byte> sent = pattern(bytes, 5);
      std::vector<std::byte> received(bytes);
      MessageRequest send, receive, next_send, next_receive;
      if (!early) ranks[0].send(1, {1, 1}, sent, &send);
      if (!early) ranks.progress_for(milliseconds(20));
      ranks[1].receive(0, {1, 1}, all_of(received).first(bytes - 1), &receive);
      if (early) ranks[0].send(1, {1, 1}, sent, &send);
      ASSERT_TRUE(ranks.ended(receive) && ranks.ended(send));
      ASSERT_TRUE(failed(receive)) << bytes;
      EXPECT_EQ(receive.failure.code(), gossInvalidUsage);
      EXPECT_NE(receive.failure.message().find(std::to_string(bytes)), std::string::npos)
          << receive.failure.message();
      ranks[1].receive(0, {1, 1}, received, &next_receive);
      ranks[0].send(1, {1, 1}, sent, &next_send);
      ASSERT_TRUE(ranks.ended(next_receive) && ranks.ended(next_send));
      EXPECT_EQ(received, sent);
    }
  }
}

TEST(Messenger, ACancelledReceiveIsNotWrittenAnyMore) {
  GOSS_MESSENGERS(ranks, 2);
  const size_t bytes = 8 << 20;
  const std::vector<std::byte> sent = pattern(bytes, 5);
  for (const int steps : {0, 1, 3, 10, 40}) {
    std::vector<std::byte> received(bytes), again(bytes);
    const MessageKey key{1, static_cast<uint64_t>(steps)};
    MessageRequest send, receive;
    ranks[1].receive(0, key, received, &receive);
    ranks[0].send(1, key, sent, &send);
    for (int i = 0; i < steps; ++i) ranks.progress();
    ASSERT_TRUE(ranks.until([&] { return ranks[1].cancel(&receive); }));
    std::fill(received.begin(), received.end(), std::byte{0xa5});
    if (steps == 0) {  // it never met the message, so the next one does
      ranks[1].receive(0, key, again, &receive);
      ASSERT_TRUE(ranks.ended(receive));
      EXPECT_EQ(again, sent);
    }
    ASSERT_TRUE(ranks.ended(send) || ranks[0].cancel(&send));
    ranks.progress_for(milliseconds(20));
    EXPECT_EQ(static_cast<size_t>(std::count(received.begin(), received.end(), std::byte{0xa5})),
              bytes);
  }
}

TEST(Messenger, ACancelledSendIsNotReadAnyMoreAndFailsItsReceive) {
  GOSS_MESSENGERS(ranks, 2);
  const size_t bytes = 8 << 20;
  for (const int steps : {0, 1, 3, 10, 40}) {
    void* const memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::span data(static_cast<std::byte*>(memory), bytes);
    std::vector<std::byte> received(bytes);
    const MessageKey key{1, static_cast<uint64_t>(steps)};
    MessageRequest send, receive;
    ranks[1].receive(0, key, received, &receive);
    ranks[0].send(1, key, data, &send);
    for (int i = 0; i < steps; ++i) ranks[0].progress();  // nobody takes anything: it stays posted
    ASSERT_TRUE(ranks.until([&] { return ranks[0].cancel(&send); }));
    ASSERT_EQ(::mprotect(memory, bytes, PROT_NONE), 0);  // whoever reads it now ends the test
    if (steps > 0) {
      ASSERT_TRUE(ranks.ended(receive));
      EXPECT_TRUE(failed(receive));
    } else {
      ranks.progress_for(milliseconds(20));
      EXPECT_FALSE(done(receive));
      ranks.until([&] { return ranks[1].cancel(&receive); });
    }
    ranks.progress_for(milliseconds(20));
    ::munmap(memory, bytes);
  }
  std::vector<std::byte> value(100'000, std::byte{1}), got(100'000);
  MessageRequest send, receive;
  ranks[0].send(1, {2, 0}, value, &send);
  ranks[1].receive(0, {2, 0}, got, &receive);
  ASSERT_TRUE(ranks.ended(receive));
  EXPECT_EQ(got, value) << "messages go on after a cancelled one";
}

TEST(Messenger, ARankSendsToItself) {
  GOSS_MESSENGERS(ranks, 1);
  for (const size_t bytes : {0, 1, 1000, 70'000, 3 << 20}) {
    for (const bool early : {true, false}) {
      const std::vector<std::byte> sent = pattern(bytes, 5);
      std::vector<std::byte> received(bytes);
      MessageRequest send, receive;
      if (early) ranks[0].receive(0, {1, 1}, received, &receive);
      ranks[0].send(0, {1, 1}, sent, &send);
      if (!early) ranks.progress();
      if (!early) ranks[0].receive(0, {1, 1}, received, &receive);
      ASSERT_TRUE(ranks.ended(receive) && ranks.ended(send)) << bytes;
      EXPECT_EQ(received, sent);
    }
  }
}

TEST(Messenger, WhatIsForgottenIsNotReceived) {
  GOSS_MESSENGERS(ranks, 2);
  const std::vector<std::byte> sent = pattern(1000, 1);
  std::vector<std::byte> received(1000);
  // More than a window in all: what was dropped must not be held against the sender.
  for (uint64_t i = 0; i < 600; ++i) {
    MessageRequest send, kept;
    ranks[0].send(1, {1, i}, sent, &send);
    ASSERT_TRUE(ranks.ended(send)) << i;
    if (i == 100) {
      ranks.progress_for(milliseconds(20));
      ranks[1].forget(1);
    }
  }
  MessageRequest send, kept, dropped;
  ranks[1].receive(0, {1, 5}, received, &dropped);
  ranks[1].receive(0, {2, 0}, received, &kept);
  ranks[0].send(1, {2, 0}, sent, &send);
  ASSERT_TRUE(ranks.ended(kept) && ranks.ended(send));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(dropped.state, State::kPosted);
  EXPECT_TRUE(ranks[1].cancel(&dropped));
}

TEST(Messenger, SleepsUntilSomethingArrives) {
  GOSS_MESSENGERS(ranks, 2);
  std::vector<std::byte> value(1, std::byte{1}), got(1);
  for (uint64_t round = 0; round < 20; ++round) {
    MessageRequest receive;
    ranks[1].receive(0, {1, round}, got, &receive);
    ranks.progress_for(milliseconds(5));
    std::thread sender([&] {
      support::sleep_for(milliseconds(10));
      MessageRequest send;
      ranks[0].send(1, {1, round}, value, &send);
      while (send.state == State::kPosted) ranks[0].progress();
    });
    const int64_t deadline = support::now_ns() + patience().count() * 1'000'000;
    while (receive.state == State::kPosted && support::now_ns() < deadline) {
      if (ranks[1].progress()) continue;
      if (!ranks[1].arm()) continue;
      pollfd wait{ranks[1].fd(), POLLIN, 0};
      ::poll(&wait, 1, static_cast<int>(patience().count()));
    }
    sender.join();
    ASSERT_TRUE(done(receive)) << round;
  }
}

// A thread that sleeps must not miss what another thread's progress took for it.
TEST(Messenger, ASleeperIsWokenByTheProgressOfAnotherThread) {
  GOSS_MESSENGERS(ranks, 2);
  std::vector<std::byte> value(1, std::byte{1}), got(1);
  for (uint64_t round = 0; round < 20; ++round) {
    std::atomic<bool> stop{false};
    std::atomic<bool> received{false};
    std::thread sleeper([&] {
      MessageRequest receive;
      ranks[1].receive(0, {1, round}, got, &receive);
      while (receive.state == State::kPosted) {
        if (ranks[1].progress() || !ranks[1].arm()) continue;
        pollfd wait{ranks[1].fd(), POLLIN, 0};
        ::poll(&wait, 1, static_cast<int>(patience().count()));
        ranks[1].progress();
      }
      received = done(receive);
    });
    std::thread busy([&] {
      while (!stop) ranks[1].progress();
    });
    support::sleep_for(milliseconds(5));
    MessageRequest send;
    ranks[0].send(1, {1, round}, value, &send);
    EXPECT_TRUE(support::eventually(patience(), [&] {
      ranks[0].progress();
      return received.load();
    }));
    stop = true;
    busy.join();
    sleeper.join();
  }
}

TEST(Messenger, ServesSeveralThreadsAtOnce) {
  GOSS_MESSENGERS(ranks, 2);
  const int nthreads = 4, rounds = test_scale(200, 10);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    for (int thread = 0; thread < nthreads; ++thread) {
      threads.emplace_back([&, rank, thread] {
        for (int round = 0; round < rounds; ++round) {
          const size_t bytes = round % 10 == 0 ? 200'000 : static_cast<size_t>(round);
          const MessageKey key{static_cast<uint64_t>(thread), static_cast<uint64_t>(round)};
          const auto seed = static_cast<uint64_t>(thread * 1000 + round);
          const std::vector<std::byte> sent = pattern(bytes, seed);
          std::vector<std::byte> received(bytes);
          MessageRequest send, receive;
          ranks[rank].receive(1 - rank, key, received, &receive);
          ranks[rank].send(1 - rank, key, sent, &send);
          do {
            ranks[rank].progress();
          } while (send.state == State::kPosted || receive.state == State::kPosted);
          if (!done(receive) || received != sent) ++wrong;
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Messenger, WhoLeavesIsMissedAndWhatItHadSentArrives) {
  GOSS_MESSENGERS(ranks, 2);
  const std::vector<std::byte> sent = pattern(900, 1);
  std::vector<std::byte> received(900), never(900);
  MessageRequest send, receive, lost, refused;
  ranks[0].send(1, {1, 1}, sent, &send);
  ASSERT_TRUE(ranks.ended(send));
  ranks[1].receive(0, {1, 2}, never, &lost);
  EXPECT_TRUE(ranks[1].fate(0).ok());
  // The one that leaves does not wait for the other.
  std::thread leaver([&] { ranks.destroy(0); });
  while (lost.state == State::kPosted) ranks[1].progress();
  leaver.join();
  EXPECT_TRUE(failed(lost));
  EXPECT_EQ(ranks[1].fate(0).code(), gossRemoteError);
  EXPECT_NE(ranks[1].fate(0).message().find("rank 0"), std::string::npos);
  ranks[1].receive(0, {1, 1}, received, &receive);
  ASSERT_TRUE(done(receive)) << receive.failure.message();
  EXPECT_EQ(received, sent);
  ranks[1].send(0, {1, 3}, sent, &refused);
  EXPECT_TRUE(failed(refused));
}

TEST(Messenger, EndsInBoundedTimeWithUnfinishedMessages) {
  GOSS_MESSENGERS(ranks, 3);
  const std::vector<std::byte> sent = pattern(32 << 20, 1);
  std::vector<std::byte> received(32 << 20);
  MessageRequest send, receive;
  ranks[1].receive(0, {1, 1}, received, &receive);
  ranks[0].send(1, {1, 1}, sent, &send);
  for (int i = 0; i < 10; ++i) ranks.progress();
  const int64_t began = support::now_ns();
  ranks[0].cancel(&send);
  ranks.destroy(0);
  ranks[1].cancel(&receive);
  ranks.destroy(1);
  EXPECT_LT(support::ms_between(began, support::now_ns()), static_cast<double>(patience().count()));
}

}  // namespace
}  // namespace goss::transport::test

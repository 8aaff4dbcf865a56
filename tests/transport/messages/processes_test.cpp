// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Messengers of real processes, on one host and on several: what crosses a network, and what is
// noticed when a process is killed or a network falls silent.
#include <gtest/gtest.h>

#include <poll.h>

#include "support/network.h"
#include "transport/messages/messengers.h"

namespace goss::transport::test {
namespace {

using support::Network;
using support::Process;
using support::Shared;
using State = MessageRequest::State;

constexpr int kMaxRanks = 4;
constexpr size_t kMaxAddress = 4096;

// How the processes of a job find each other, and what they report.
struct Board {
  std::atomic<size_t> address_bytes[kMaxRanks];
  char address[kMaxRanks][kMaxAddress];
  std::atomic<int> met[kMaxRanks];      // a rank has exchanged its first messages
  std::atomic<bool> go{false};          // the test has done what it does
  std::atomic<int64_t> saw[kMaxRanks];  // when a rank noticed, ns
  std::atomic<int64_t> left[kMaxRanks];
  char words[kMaxRanks][256];
};

void say(Board& board, int rank, const std::string& text) {
  std::snprintf(board.words[rank], sizeof(board.words[rank]), "%s", text.c_str());
}

// In a process of its own: the messenger of `rank`, connected, after it has sent a message to and
// received one from everybody. Null: `words` has the reason.
MessengerPtr join(Board& board, int rank, int nranks) {
  Result<MessengerPtr> opened = open_messenger({rank, nranks});
  if (!opened.ok()) {
    say(board, rank, opened.status().message());
    return nullptr;
  }
  MessengerPtr messenger = opened.take();
  std::memcpy(board.address[rank], messenger->address().data(), messenger->address().size());
  board.address_bytes[rank] = messenger->address().size();
  std::vector<std::string> addresses;
  for (int peer = 0; peer < nranks; ++peer) {
    if (!support::eventually(patience(), [&] { return board.address_bytes[peer] != 0; })) {
      say(board, rank, "no address of rank " + std::to_string(peer));
      return nullptr;
    }
    addresses.emplace_back(board.address[peer], board.address_bytes[peer]);
  }
  if (Status status = messenger->connect(std::move(addresses)); !status.ok()) {
    say(board, rank, status.message());
    return nullptr;
  }
  const auto count = static_cast<size_t>(nranks);
  std::vector<std::vector<std::byte>> sent(count), got(count);
  std::vector<MessageRequest> requests(2 * count);
  for (int peer = 0; peer < nranks; ++peer) {
    const auto p = static_cast<size_t>(peer);
    sent[p] = pattern(300'000, static_cast<uint64_t>(rank * nranks + peer));
    got[p].resize(sent[p].size());
    messenger->receive(peer, {1, 1}, got[p], &requests[2 * p]);
    messenger->send(peer, {1, 1}, sent[p], &requests[2 * p + 1]);
  }
  for (MessageRequest& request : requests) {
    while (request.state == State::kPosted) messenger->progress();
    if (!done(request)) {
      say(board, rank, "first message: " + request.failure.message());
      return nullptr;
    }
  }
  for (int peer = 0; peer < nranks; ++peer) {
    const auto seed = static_cast<uint64_t>(peer * nranks + rank);
    if (got[static_cast<size_t>(peer)] == pattern(300'000, seed)) continue;
    say(board, rank, "wrong bytes from rank " + std::to_string(peer));
    return nullptr;
  }
  board.met[rank] = 1;
  return messenger;
}

// Wait for a message of `peer` that never comes, asleep; report when the wait failed.
void wait_in_vain(Board& board, int rank, int peer, Messenger* messenger) {
  std::vector<std::byte> never(1000);
  MessageRequest request;
  messenger->receive(peer, {1, 2}, never, &request);
  while (request.state == State::kPosted) {
    if (messenger->progress() || !messenger->arm()) continue;
    pollfd wait{messenger->fd(), POLLIN, 0};
    ::poll(&wait, 1, 100);
  }
  board.saw[rank] = support::now_ns();
  say(board, rank, request.failure.message());
  if (messenger->fate(peer).ok()) say(board, rank, "no fate");
}

class Job {
 public:
  using Body = std::function<void(Board&, int rank, Messenger*)>;
  // `network` null: all on this host.
  Job(int nranks, const Network* network, const Body& body) : nranks_(nranks) {
    for (int rank = 0; rank < nranks; ++rank) {
      processes_.push_back(std::make_unique<Process>([&, rank] {
        if (network != nullptr) network->enter(rank % network->size());
        MessengerPtr messenger = join(*board_, rank, nranks);
        if (messenger == nullptr) return;
        support::eventually(patience(), [&] {
          messenger->progress();
          return all_met();
        });
        body(*board_, rank, messenger.get());
        messenger.reset();
        board_->left[rank] = support::now_ns();
      }));
    }
  }
  bool all_met() const {
    for (int rank = 0; rank < nranks_; ++rank) {
      if (board_->met[rank] == 0) return false;
    }
    return true;
  }
  bool met() {
    return support::eventually(patience(), [this] {
      for (auto& process : processes_) {
        if (process->ended()) return all_met();
      }
      return all_met();
    }) && all_met();
  }
  bool ended() {
    for (auto& process : processes_) {
      if (!process->ended_within(patience())) return false;
    }
    return true;
  }
  Process& process(int rank) { return *processes_[static_cast<size_t>(rank)]; }
  Board& board() { return *board_; }
  std::string words() const {
    std::string all;
    for (int rank = 0; rank < nranks_; ++rank) all += std::string("[") + board_->words[rank] + "]";
    return all;
  }

 private:
  const int nranks_;
  Shared<Board> board_;
  std::vector<std::unique_ptr<Process>> processes_;
};

// Not opened here: this process must stay free of UCX's threads.
#define GOSS_SKIP_WITHOUT_MODULE()                                                  \
  const char* const folder = std::getenv("GOSS_MODULE_DIR");                        \
  if (folder == nullptr ||                                                          \
      ::access((std::string(folder) + "/libgossamer_ucx.so").c_str(), R_OK) != 0) { \
    GTEST_SKIP() << "this build has no UCX module";                                 \
  }
#define GOSS_SKIP_WITHOUT_NETWORK()                                                 \
  GOSS_SKIP_WITHOUT_MODULE()                                                        \
  if (const std::string reason = Network::missing(); !reason.empty()) {             \
    GTEST_SKIP() << reason;                                                         \
  }

double noticed_after_ms(Job& job, int rank, int64_t since) {
  return support::ms_between(since, job.board().saw[rank]);
}

TEST(MessengerProcesses, AKilledProcessIsMissedWithinASecond) {
  GOSS_SKIP_WITHOUT_MODULE();
  Job job(3, nullptr, [](Board& board, int rank, Messenger* messenger) {
    if (rank == 2) ::pause();
    wait_in_vain(board, rank, 2, messenger);
  });
  ASSERT_TRUE(job.met()) << job.words();
  support::sleep_for(milliseconds(100));
  const int64_t killed = support::now_ns();
  job.process(2).send(SIGKILL);
  ASSERT_TRUE(job.ended()) << job.words();
  for (const int rank : {0, 1}) {
    EXPECT_EQ(job.process(rank).code(), 0);
    EXPECT_LT(noticed_after_ms(job, rank, killed), 1000 * support::sanitizer_factor());
    EXPECT_NE(std::string(job.board().words[rank]).find("rank 2"), std::string::npos)
        << job.words();
    // Leaving does not wait for the dead.
    EXPECT_LT(support::ms_between(job.board().saw[rank], job.board().left[rank]),
              1000 * support::sanitizer_factor());
  }
}

TEST(MessengerProcesses, LeavingIsBoundedWhenThePeerIsStopped) {
  GOSS_SKIP_WITHOUT_MODULE();
  Job job(2, nullptr, [](Board& board, int rank, Messenger* messenger) {
    if (rank == 1) ::raise(SIGSTOP);
    if (rank == 1) return;
    // More than any buffer takes, given up.
    std::vector<std::byte> data(64 << 20);
    MessageRequest request;
    messenger->send(1, {1, 2}, data, &request);
    for (int i = 0; i < 1000; ++i) messenger->progress();
    while (!messenger->cancel(&request)) messenger->progress();
    board.saw[0] = support::now_ns();
  });
  ASSERT_TRUE(job.met()) << job.words();
  ASSERT_TRUE(job.process(0).ended_within(patience())) << job.words();
  EXPECT_LT(support::ms_between(job.board().saw[0], job.board().left[0]),
            500 * support::sanitizer_factor());
  job.process(1).send(SIGKILL);
}

TEST(MessengerProcesses, ExitWithoutDestroyNeitherCrashesNorHangs) {
  GOSS_SKIP_WITHOUT_MODULE();
  Job job(2, nullptr, [](Board&, int rank, Messenger*) {
    if (rank == 0) std::exit(0);
    support::sleep_for(milliseconds(300));
  });
  ASSERT_TRUE(job.met()) << job.words();
  ASSERT_TRUE(job.ended()) << job.words();
  EXPECT_EQ(job.process(0).code(), 0);
  EXPECT_EQ(job.process(1).code(), 0);
}

TEST(MessengerProcesses, AForkedChildCanDestroyItsCopy) {
  GOSS_SKIP_WITHOUT_MODULE();
  Job job(2, nullptr, [](Board& board, int rank, Messenger* messenger) {
    std::vector<std::byte> data(1000, std::byte{1});
    MessageRequest request;
    if (rank == 0) {
      Process child([&] { messenger->~Messenger(); });
      if (!child.ended_within(patience()) || child.code() != 0) say(board, 0, "the child failed");
      messenger->send(1, {1, 2}, data, &request);
    } else {
      messenger->receive(0, {1, 2}, data, &request);
    }
    while (request.state == State::kPosted) messenger->progress();
    if (!done(request)) say(board, rank, request.failure.message());
  });
  ASSERT_TRUE(job.met()) << job.words();
  ASSERT_TRUE(job.ended()) << job.words();
  EXPECT_EQ(job.words(), "[][]");
}

TEST(MessengerNetwork, MessagesCrossTwoAndFourHosts) {
  GOSS_SKIP_WITHOUT_NETWORK();
  for (const int nhosts : {2, 4}) {
    const Network network(nhosts);
    ASSERT_EQ(network.failure(), "");
    Job job(4, &network, [](Board&, int, Messenger*) {});
    ASSERT_TRUE(job.met()) << job.words();
    ASSERT_TRUE(job.ended()) << job.words();
  }
}

TEST(MessengerNetwork, SlowLinksCarryEverything) {
  GOSS_SKIP_WITHOUT_NETWORK();
  Network network(2);
  network.limit("200mbit");
  ASSERT_EQ(network.failure(), "");
  Job job(2, &network, [](Board&, int, Messenger*) {});
  ASSERT_TRUE(job.met()) << job.words();
  ASSERT_TRUE(job.ended()) << job.words();
}

TEST(MessengerNetwork, DelayAndLossOnlySlowMessagesDown) {
  GOSS_SKIP_WITHOUT_NETWORK();
  Network network(2, Network::Cables::kRelays);
  if (!network.failure().empty()) GTEST_SKIP() << network.failure();
  network.cable(0).delay_us = 500;
  network.cable(1).lost_per_mille = 10;
  Job job(2, &network, [](Board&, int, Messenger*) {});
  ASSERT_TRUE(job.met()) << job.words();
  ASSERT_TRUE(job.ended()) << job.words();
}

TEST(MessengerNetwork, ASilentHostIsMissedWithinFiveSeconds) {
  GOSS_SKIP_WITHOUT_NETWORK();
  Network network(2, Network::Cables::kRelays);
  if (!network.failure().empty()) GTEST_SKIP() << network.failure();
  Job job(2, &network, [](Board& board, int rank, Messenger* messenger) {
    wait_in_vain(board, rank, 1 - rank, messenger);
  });
  ASSERT_TRUE(job.met()) << job.words();
  support::sleep_for(milliseconds(500));
  const int64_t cut = support::now_ns();
  network.cable(1).blackhole = true;
  ASSERT_TRUE(job.ended()) << job.words();
  for (const int rank : {0, 1}) {
    EXPECT_LT(noticed_after_ms(job, rank, cut), 5000) << job.words();
    EXPECT_GT(noticed_after_ms(job, rank, cut), 500) << "a fault of another kind " << job.words();
  }
}

}  // namespace
}  // namespace goss::transport::test

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Strangers on the ports of a start-up: random, truncated, replayed and oversized streams, silent,
// slow and held connections, wrong secrets, ranks that do not exist. The job beside them must start
// as if nobody was there. Traffic stays on loopback and is bounded in number and time.
#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <set>

#include "local_job.h"
#include "support/test_scale.h"
#include "transport/bootstrap/dialer.h"
#include "transport/bootstrap/messages.h"

namespace goss::bootstrap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A hello that the root reads to its end: right magic, purpose, peer and job.
Hello genuine_hello(const UniqueId& id, uint32_t rank, uint32_t nranks) {
  Hello hello;
  hello.rank = rank;
  hello.nranks = nranks;
  hello.job = id.job;
  return hello;
}

// A connection that sends given bytes, at once or one per poll, and ignores all answers.
class Stranger {
 public:
  Stranger(const Address& target, std::string bytes, bool slow)
      : bytes_(std::move(bytes)), slow_(slow) {
    int error = 0;
    socket_ = start_connect(target, &error);
  }
  // False when the other side has closed.
  bool poll() {
    if (!socket_.valid()) return false;
    const size_t rest = bytes_.size() - sent_;
    if (rest > 0) {
      const Moved moved = send_some(socket_, bytes_.data() + sent_, slow_ ? 1 : rest);
      if (moved.state == Moved::State::kMoved) sent_ += moved.bytes;
      if (moved.state == Moved::State::kEnded && moved.error != ENOTCONN) return false;
    }
    char buffer[512];
    const Moved moved = receive_some(socket_, buffer, sizeof(buffer));
    if (moved.state == Moved::State::kMoved) received_ += moved.bytes;
    return moved.state != Moved::State::kEnded || moved.error == ENOTCONN;
  }
  bool sent_all() const { return sent_ == bytes_.size(); }
  size_t received() const { return received_; }

 private:
  Socket socket_;
  std::string bytes_;
  bool slow_;
  size_t sent_ = 0;
  size_t received_ = 0;
};

// Streams of all the bad kinds, one after another.
class BadStreams {
 public:
  // `hello` is what a genuine connection says; `recorded` all that one has sent.
  BadStreams(const Hello& hello, std::string recorded)
      : hello_(hello), recorded_(std::move(recorded)) {}

  std::string next() {
    switch (made_++ % 8) {
      case 0: return noise(random_() % 200);
      case 1: return recorded_;  // replayed
      case 2: return recorded_.substr(0, random_() % recorded_.size());
      case 3: return recorded_ + noise(20'000);  // oversized
      case 4: return random_claim().serialize() + noise(32);
      case 5: return hello_.serialize().substr(0, 63);
      case 6: return flipped();
      case 7: return std::string(100'000, '\xff');
    }
    return "";
  }

 private:
  std::string noise(size_t bytes) {
    std::string text(bytes, '\0');
    for (char& byte : text) byte = static_cast<char>(random_());
    return text;
  }
  std::string flipped() {
    std::string bytes = recorded_;
    bytes[random_() % bytes.size()] ^= static_cast<char>(1 << random_() % 8);
    return bytes;
  }

  Hello random_claim() {
    Hello hello = hello_;
    hello.rank = static_cast<uint32_t>(random_());
    hello.nranks = static_cast<uint32_t>(random_());
    return hello;
  }

  Hello hello_;
  std::string recorded_;
  std::minstd_rand random_{7};
  size_t made_ = 0;
};

// All that a genuine connection sends, handshake and first frame, as somebody on the wire sees it.
std::string record(const Secret& secret, const Hello& hello) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
  const Socket left(fds[0]);
  const Socket right(fds[1]);
  ClientHandshake client(secret, hello);
  client.advance(left);  // hello
  std::string bytes(kHelloBytes, '\0');
  EXPECT_EQ(receive_some(right, bytes.data(), bytes.size()).bytes, kHelloBytes);
  const std::string nonce(kNonceBytes, 'n');
  EXPECT_EQ(send_some(right, nonce.data(), nonce.size()).bytes, kNonceBytes);
  client.advance(left);  // proof, right for this nonce
  std::string proof(32, '\0');
  EXPECT_EQ(receive_some(right, proof.data(), proof.size()).bytes, proof.size());
  Channel channel(Socket(::dup(left.get())), client.keys());
  channel.queue(FrameType::kJoin, Join{}.encode());
  channel.flush();
  char buffer[4096];
  const Moved moved = receive_some(right, buffer, sizeof(buffer));
  return bytes + proof + std::string(buffer, moved.bytes);
}

BadStreams bad_streams(const UniqueId& id) {
  const Hello hello = genuine_hello(id, 1, 4);
  return BadStreams(hello, record(id.secret, hello));
}

// A port, and what is said to it.
struct Target {
  Address address;
  BadStreams streams;
};

// Keeps up to `width` strangers busy until `count` have been closed or given up.
class Siege {
 public:
  Siege(std::vector<Target> targets, int count) : targets_(std::move(targets)), left_(count) {}

  bool over() const { return left_ == 0 && strangers_.empty(); }
  void poll(size_t width) {
    while (left_ > 0 && strangers_.size() < width) {
      Target& target = targets_[random_() % targets_.size()];
      strangers_.emplace_back(target.address, target.streams.next(), left_-- % 64 == 63);
    }
    for (size_t i = strangers_.size(); i > 0; --i) {
      Stranger stranger = std::move(strangers_.front());
      strangers_.pop_front();
      // Some go on their own accord once all is said, some wait for the other side.
      const bool stay = stranger.poll() && !(stranger.sent_all() && ++patience_ % 3 == 0);
      if (stay) strangers_.push_back(std::move(stranger));
    }
  }

 private:
  std::vector<Target> targets_;
  std::mt19937 random_{13};
  int left_;
  std::deque<Stranger> strangers_;
  unsigned patience_ = 0;
};

Target root_of(const LocalJob& job) { return {address_of(job.id), bad_streams(job.id)}; }

void expect_all_well(const LocalJob& job) {
  for (const Status& failure : job.failures) EXPECT_TRUE(failure.ok()) << failure.message();
}

TEST(HostileRootPort, IsNeitherJoinedNorStalledNorCrashedByBadStreams) {
  LocalJob job(4);
  const int streams = test_scale(10'000, 400);
  Siege siege({root_of(job)}, streams);
  for (const size_t rank : {0u, 1u, 2u}) job.create(rank);
  bool last = false;
  const bool ended = LocalJob::until(
      [&] {
        siege.poll(100);
        job.connect_once();
        if (siege.over() && !last) {
          last = true;
          job.create(3);  // genuine, after all of them
        }
        return last && job.all_done();
      },
      seconds(60));
  EXPECT_TRUE(ended);
  expect_all_well(job);
  EXPECT_GE(job.root->refused(), static_cast<uint64_t>(streams) / 2);
}

TEST(HostileRootPort, StartsInTimeDuringAStormOfStrangers) {
  LocalJob job(4);
  Siege siege({root_of(job)}, 1'000'000);
  const auto began = Clock::now();
  for (int i = 0; i < 20; ++i) {
    siege.poll(200);
    job.root->poll();
  }
  job.create_all();
  EXPECT_TRUE(LocalJob::until(
      [&] {
        siege.poll(200);
        job.connect_once();
        return job.all_done();
      },
      seconds(10)));
  expect_all_well(job);
  EXPECT_LT(Clock::now() - began, seconds(5) * support::sanitizer_factor());
}

// More strangers than the root keeps come before and after every honest connection, between any two
// looks of that rank at its own.
TEST(HostileRootPort, KeepsHonestConnectionsAmongMoreStrangersThanItHasPlaces) {
  LocalJob job(4);
  job.create_all();
  std::deque<Stranger> strangers;
  const auto flood = [&](int count) {
    for (int i = 0; i < count; ++i) strangers.emplace_back(address_of(job.id), "", false);
  };
  EXPECT_TRUE(LocalJob::until(
      [&] {
        flood(100);
        job.connect_once();
        flood(100);
        for (int i = 0; i < 5; ++i) job.root->poll();
        while (strangers.size() > 400) strangers.pop_front();
        return job.all_done();
      },
      seconds(10)));
  expect_all_well(job);
  EXPECT_GT(job.root->refused(), 64u);
}

TEST(HostileRootPort, IsNotStalledByAThousandHeldConnections) {
  LocalJob job(4);
  std::vector<Stranger> held;
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    // Silent, or half a hello.
    const std::string half = genuine_hello(job.id, 1, 4).serialize().substr(0, random() % 64);
    held.emplace_back(address_of(job.id), i % 2 == 0 ? "" : half, false);
    if (i % 50 == 0) job.root->poll();
  }
  const auto began = Clock::now();
  job.create_all();
  EXPECT_TRUE(LocalJob::until(
      [&] {
        for (Stranger& stranger : held) stranger.poll();
        job.connect_once();
        return job.all_done();
      },
      seconds(10)));
  expect_all_well(job);
  EXPECT_LT(Clock::now() - began, seconds(2) * support::sanitizer_factor());
}

TEST(HostileRootPort, ClosesSilentAndSlowConnectionsAfterFiveSeconds) {
  LocalJob job(2);
  job.create(0);
  Stranger silent(address_of(job.id), "", false);
  Stranger stopping(address_of(job.id), genuine_hello(job.id, 1, 2).serialize(), false);
  Stranger slow(address_of(job.id), std::string(1, 'G'), true);
  const auto began = Clock::now();
  int open = 3;
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        job.wait();
        open = (silent.poll() ? 1 : 0) + (stopping.poll() ? 1 : 0) + (slow.poll() ? 1 : 0);
        return open == 0;
      },
      seconds(7)));
  EXPECT_GT(Clock::now() - began, seconds(4));
  job.create(1);
  EXPECT_TRUE(job.connect());
  expect_all_well(job);
}

TEST(HostileRootPort, TellsAStrangerNothingButANonce) {
  LocalJob job(2);
  job.create(0);
  Stranger stranger(address_of(job.id),
                    genuine_hello(job.id, 1, 2).serialize() +
                        "wrong proof of "
                        "thirty-two bytes in all",
                    false);
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        return !stranger.poll();
      },
      seconds(2)));
  EXPECT_EQ(stranger.received(), kNonceBytes);
}

TEST(HostileRootPort, IsNotJoinedWithAnotherSecret) {
  LocalJob job(3);
  Options impostor = job.options[2];
  impostor.id.secret[0] ^= 1;
  impostor.timeout = milliseconds(800);
  Result<std::unique_ptr<Bootstrap>> made = Bootstrap::create(impostor);
  ASSERT_TRUE(made.ok());
  std::unique_ptr<Bootstrap> stranger = made.take();
  job.create(0);
  job.create(1);
  Status failure;
  EXPECT_TRUE(LocalJob::until(
      [&] {
        job.connect_once();
        const Result<bool> connected = stranger->connect();
        if (!connected.ok()) failure = connected.status();
        return !failure.ok();
      },
      seconds(3)));
  EXPECT_EQ(failure.code(), gossTimeout);
  EXPECT_NE(failure.message().find("another secret"), std::string::npos) << failure.message();
  job.create(2);
  EXPECT_TRUE(job.connect());
  expect_all_well(job);
}

// Knows the secret and still claims nonsense: an own bug rather than an attack.
TEST(HostileRootPort, RefusesRanksOutsideTheJobWithAnAnswer) {
  LocalJob job(4);
  for (const size_t rank : {0u, 1u, 2u}) job.create(rank);
  LocalJob::until([&] { return job.connect_once(), job.wait(), false; }, milliseconds(100));
  for (const auto& [rank, nranks] :
       {std::pair(4u, 4u), std::pair(0xffffffffu, 4u), std::pair(0u, 0u),
        std::pair(7u, 0xffffffffu), std::pair(0x80000000u, 0x80000001u)}) {
    Dialer dialer(address_of(job.id), job.id.secret, genuine_hello(job.id, rank, nranks));
    std::unique_ptr<Channel> channel;
    std::vector<Frame> frames;
    EXPECT_TRUE(LocalJob::until(
        [&] {
          job.connect_once();
          if (channel == nullptr) {
            channel = dialer.advance(Clock::now());
            if (channel != nullptr) channel->queue(FrameType::kJoin, Join{}.encode());
            return false;
          }
          channel->flush();
          channel->receive(&frames);
          return !frames.empty();
        },
        seconds(2)));
    ASSERT_FALSE(frames.empty());
    EXPECT_EQ(frames[0].type, FrameType::kFailed);
    EXPECT_EQ(Failure::decode(frames[0].payload)->code, gossInvalidUsage);
  }
  job.create(3);
  EXPECT_TRUE(job.connect());
  expect_all_well(job);
}

TEST(HostileRootPort, SurvivesRandomFramesOfOneWhoKnowsTheSecret) {
  std::mt19937 random(11);
  LocalJob job(4);
  const int rounds = test_scale(300, 50);
  for (int round = 0; round < rounds; ++round) {
    Dialer dialer(address_of(job.id), job.id.secret, genuine_hello(job.id, 1, 4));
    std::unique_ptr<Channel> channel;
    LocalJob::until(
        [&] {
          return job.root->poll(), channel = dialer.advance(Clock::now()), channel != nullptr;
        },
        seconds(2));
    ASSERT_NE(channel, nullptr);
    std::string payload(random() % 300, '\0');
    for (char& byte : payload) byte = static_cast<char>(random());
    channel->queue(static_cast<FrameType>(random() % 20), payload);
    channel->flush();
    for (int i = 0; i < 3; ++i) job.root->poll();
  }
  job.create_all();
  EXPECT_TRUE(job.connect());
  expect_all_well(job);
}

// The ports at which ranks listen for their neighbours, found as an attacker would: by scanning.
std::vector<Address> listening_ports(const LocalJob& job) {
  std::vector<Address> found;
  for (int fd = 3; fd < 200; ++fd) {
    int listening = 0;
    socklen_t bytes = sizeof(listening);
    Address address;
    address.bytes = sizeof(address.storage);
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes) != 0 || !listening)
      continue;
    if (::getsockname(fd, address.get(), &address.bytes) != 0) continue;
    if (address.storage.ss_family == AF_INET && address.port() != address_of(job.id).port()) {
      found.push_back(address);
    }
  }
  return found;
}

TEST(HostileMeshPorts, AreNeitherJoinedNorStalledNorCrashed) {
  LocalJob job(4);
  std::vector<Target> targets;
  std::set<int> known;
  // Stop when all listen and none is linked. The port that is new belongs to the rank that is.
  for (uint32_t rank = 0; rank < job.size(); ++rank) {
    job.create(rank);
    std::vector<Address> ports;
    EXPECT_TRUE(LocalJob::until(
        [&] {
          EXPECT_TRUE(job.ranks[rank]->connect().ok());
          ports = listening_ports(job);
          if (ports.size() == rank) job.root->poll();
          return ports.size() > rank;
        },
        seconds(3)));
    Hello link = genuine_hello(job.id, rank == 0 ? 1 : rank - 1, 4);
    link.purpose = Purpose::kLink;
    link.peer = rank;
    for (const Address& port : ports) {
      if (!known.insert(port.port()).second) continue;
      targets.push_back({port, BadStreams(link, record(job.id.secret, link))});
    }
  }
  ASSERT_EQ(targets.size(), 4u);
  Siege siege(targets, test_scale(2'000, 200));
  for (int i = 0; i < 10; ++i) siege.poll(100);  // they wait in the queues of all listeners
  EXPECT_TRUE(LocalJob::until(
      [&] {
        siege.poll(100);
        job.connect_once();
        return job.all_done() && siege.over();
      },
      seconds(20)));
  expect_all_well(job);
}

}  // namespace
}  // namespace goss::bootstrap

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Strangers for the ports of a start-up: connections that say something wrong, and a siege of many.
// Used by the hostile tests of this folder. One thread; traffic is bounded in number and time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "local_job.h"
#include "transport/bootstrap/handshake.h"
#include "transport/bootstrap/messages.h"

namespace goss::bootstrap {

// A hello that the root reads to its end: right magic, purpose, peer and job.
inline Hello genuine_hello(const UniqueId& id, uint32_t rank, uint32_t nranks) {
  Hello hello;
  hello.rank = rank;
  hello.nranks = nranks;
  hello.job = id.job;
  return hello;
}

// A connection that sends given bytes, at once or one per poll, and ignores all answers.
class Stranger {
 public:
  Stranger(const Address& target, std::string bytes, bool slow, size_t label = 0)
      : bytes_(std::move(bytes)), slow_(slow), label_(label) {
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
  size_t label() const { return label_; }  // of the one who made it

 private:
  Socket socket_;
  std::string bytes_;
  bool slow_;
  size_t label_;
  size_t sent_ = 0;
  size_t received_ = 0;
};

// Streams of all the bad kinds, one after another.
class BadStreams {
 public:
  static constexpr size_t kKinds = 8;

  // `hello` is what a genuine connection says; `recorded` all that one has sent.
  BadStreams(const Hello& hello, std::string recorded)
      : hello_(hello), recorded_(std::move(recorded)) {}

  size_t next_kind() const { return made_ % kKinds; }
  std::string next() {
    switch (made_++ % kKinds) {
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
inline std::string record(const Secret& secret, const Hello& hello) {
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

// A port, and what is said to it.
struct Target {
  Address address;
  BadStreams streams;
};

// Keeps up to `width` strangers busy until `count` have been closed or given up.
class Siege {
 public:
  enum class Patience { kMixed, kEndless };  // some go on their own accord, or all stay

  Siege(std::vector<Target> targets, int count, Patience patience = Patience::kMixed)
      : targets_(std::move(targets)),
        patience_(patience),
        left_(count),
        met_(targets_.size() * BadStreams::kKinds) {}

  bool over() const { return left_ == 0 && strangers_.empty(); }
  // Streams of every kind have been answered or closed by every target. While the targets go on
  // listening, none can close a stream that it has not taken in.
  bool met_all() const { return std::find(met_.begin(), met_.end(), false) == met_.end(); }
  void poll(size_t width) {
    while (left_ > 0 && strangers_.size() < width) {
      const size_t at = random_() % targets_.size();
      BadStreams& streams = targets_[at].streams;
      const size_t label = at * BadStreams::kKinds + streams.next_kind();
      strangers_.emplace_back(targets_[at].address, streams.next(), left_-- % 64 == 63, label);
    }
    for (size_t i = strangers_.size(); i > 0; --i) {
      Stranger stranger = std::move(strangers_.front());
      strangers_.pop_front();
      const bool open = stranger.poll();
      if (!open || stranger.received() > 0) met_[stranger.label()] = true;
      const bool goes = patience_ == Patience::kMixed && stranger.sent_all() && ++polls_ % 3 == 0;
      if (open && !goes) strangers_.push_back(std::move(stranger));
    }
  }

 private:
  std::vector<Target> targets_;
  Patience patience_;
  std::mt19937 random_{13};
  int left_;
  std::deque<Stranger> strangers_;
  unsigned polls_ = 0;
  std::vector<bool> met_;  // by target and kind
};

}  // namespace goss::bootstrap

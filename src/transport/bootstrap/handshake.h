// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Handshake: how two processes of a job prove to each other that they know its secret.
//
//   client -> server  hello, 64 bytes: magic, version, purpose, rank, nranks, peer, job, nonce
//   server -> client  nonce, 16 bytes
//   client -> server  HMAC(secret, "client" | hello | nonce), 32 bytes
//   server -> client  HMAC(secret, "server" | hello | nonce), 32 bytes
//
// The client proves first, so a stranger who connects learns nothing that depends on the secret.
// Both keys of the channel that follows are derived from the secret, hello and nonce. All messages
// have fixed sizes; the server allocates nothing before the proof is right. Non-blocking; one
// thread at a time. Used by Gate (server) and Dialer (client).
#pragma once

#include "transport/bootstrap/frame.h"

namespace goss::bootstrap {

constexpr uint16_t kWireVersion = 1;
constexpr size_t kHelloBytes = 64;
constexpr size_t kNonceBytes = 16;
constexpr uint32_t kRootPeer = 0xffffffff;

enum class Purpose : uint8_t { kRoot = 1, kLink = 2 };

struct Hello {
  uint16_t version = kWireVersion;
  Purpose purpose = Purpose::kRoot;
  uint32_t rank = 0;  // of the client
  uint32_t nranks = 0;
  uint32_t peer = kRootPeer;  // rank of the server, or kRootPeer
  std::array<uint8_t, 16> job{};
  std::array<uint8_t, kNonceBytes> nonce{};

  std::string serialize() const;
  static bool parse(std::string_view bytes, Hello* hello);
};

enum class Progress { kRunning, kDone, kFailed };

class ServerHandshake {
 public:
  // `expected`: purpose, peer and job that a client must name.
  ServerHandshake(const Secret& secret, const Hello& expected)
      : secret_(secret), expected_(expected) {}

  Progress advance(const Socket& socket);
  const Hello& hello() const { return hello_; }  // authentic once kDone
  ChannelKeys keys() const;
  bool wants_write() const { return pending_ > 0; }
  bool named_job() const { return stage_ != Stage::kHello; }  // no proof, but no chance hit either

 private:
  bool step();
  Progress send_pending(const Socket& socket);

  Secret secret_;
  Hello expected_;
  Hello hello_;
  enum class Stage { kHello, kProof, kAnswer } stage_ = Stage::kHello;
  std::array<uint8_t, kHelloBytes> hello_bytes_{};
  std::array<uint8_t, kNonceBytes> nonce_{};
  std::array<uint8_t, 64> in_{};
  size_t received_ = 0;
  std::array<uint8_t, 32> out_{};
  size_t pending_ = 0;  // bytes of out_ still to send, its tail
  size_t out_bytes_ = 0;
};

class ClientHandshake {
 public:
  ClientHandshake(const Secret& secret, const Hello& hello);

  Progress advance(const Socket& socket);
  ChannelKeys keys() const;
  bool wants_write() const { return sent_ < out_.size(); }
  bool proof_sent() const { return stage_ == Stage::kAnswer; }

 private:
  bool step();

  Secret secret_;
  std::string hello_bytes_;
  enum class Stage { kNonce, kAnswer } stage_ = Stage::kNonce;
  std::array<uint8_t, kNonceBytes> nonce_{};
  std::array<uint8_t, 32> in_{};
  size_t received_ = 0;
  std::string out_;
  size_t sent_ = 0;
};

}  // namespace goss::bootstrap

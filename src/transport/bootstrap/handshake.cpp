// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/handshake.h"

#include <algorithm>
#include <cstring>

namespace goss::bootstrap {

namespace {

constexpr std::string_view kMagic = "GsBs";
// Labels of equal length, so that label | hello | nonce reads in one way only.
constexpr std::string_view kClientProof = "gossamer proof c";
constexpr std::string_view kServerProof = "gossamer proof s";
constexpr std::string_view kClientFrames = "gossamer frame c";
constexpr std::string_view kServerFrames = "gossamer frame s";

Digest derive(const Secret& secret, std::string_view label, std::string_view hello,
              std::string_view nonce) {
  return hmac_sha256(view(secret), {label, hello, nonce});
}

}  // namespace

std::string Hello::serialize() const {
  Writer out;
  out.raw(kMagic);
  out.u16(version);
  out.u8(static_cast<uint8_t>(purpose));
  out.u8(0);
  out.u32(rank);
  out.u32(nranks);
  out.u32(peer);
  out.zeros(12);
  out.raw(view(job));
  out.raw(view(nonce));
  GOSS_ASSERT(out.size() == kHelloBytes, "the hello of the handshake has a fixed size");
  return out.take();
}

bool Hello::parse(std::string_view bytes, Hello* hello) {
  Reader in(bytes);
  const bool magic = in.raw(kMagic.size()) == kMagic;
  hello->version = in.u16();
  const int purpose = in.u8();
  const int zero = in.u8();
  hello->rank = in.u32();
  hello->nranks = in.u32();
  hello->peer = in.u32();
  in.raw(12);
  in.raw(hello->job.data(), hello->job.size());
  in.raw(hello->nonce.data(), hello->nonce.size());
  hello->purpose = static_cast<Purpose>(purpose);
  return magic && in.finished() && zero == 0 && (purpose == 1 || purpose == 2);
}

Progress ServerHandshake::advance(const Socket& socket) {
  while (true) {
    if (pending_ > 0) {
      const Progress sent = send_pending(socket);
      if (sent != Progress::kDone) return sent;
    }
    if (stage_ == Stage::kAnswer) return Progress::kDone;
    const size_t wanted = stage_ == Stage::kHello ? kHelloBytes : sizeof(Digest);
    const Moved moved = receive_some(socket, in_.data() + received_, wanted - received_);
    if (moved.state == Moved::State::kBlocked) return Progress::kRunning;
    if (moved.state == Moved::State::kEnded) return Progress::kFailed;
    received_ += moved.bytes;
    if (received_ < wanted) continue;
    received_ = 0;
    if (!step()) return Progress::kFailed;
  }
}

Progress ServerHandshake::send_pending(const Socket& socket) {
  while (pending_ > 0) {
    const Moved moved = send_some(socket, out_.data() + out_bytes_ - pending_, pending_);
    if (moved.state == Moved::State::kBlocked) return Progress::kRunning;
    if (moved.state == Moved::State::kEnded) return Progress::kFailed;
    pending_ -= moved.bytes;
  }
  return Progress::kDone;
}

// A whole message is in in_: checks it and puts the answer into out_.
bool ServerHandshake::step() {
  if (stage_ == Stage::kHello) {
    hello_bytes_ = in_;
    if (!Hello::parse(view(hello_bytes_), &hello_)) return false;
    if (hello_.purpose != expected_.purpose || hello_.peer != expected_.peer ||
        hello_.job != expected_.job || !fill_random(nonce_.data(), nonce_.size()).ok()) {
      return false;
    }
    std::copy(nonce_.begin(), nonce_.end(), out_.begin());
    pending_ = out_bytes_ = kNonceBytes;
    stage_ = Stage::kProof;
    return true;
  }
  const Digest proof = derive(secret_, kClientProof, view(hello_bytes_), view(nonce_));
  if (!equal_digests(proof.data(), in_.data(), proof.size())) return false;
  out_ = derive(secret_, kServerProof, view(hello_bytes_), view(nonce_));
  pending_ = out_bytes_ = out_.size();
  stage_ = Stage::kAnswer;
  return true;
}

ChannelKeys ServerHandshake::keys() const {
  return {derive(secret_, kServerFrames, view(hello_bytes_), view(nonce_)),
          derive(secret_, kClientFrames, view(hello_bytes_), view(nonce_))};
}

ClientHandshake::ClientHandshake(const Secret& secret, const Hello& hello)
    : secret_(secret), hello_bytes_(hello.serialize()), out_(hello_bytes_) {}

Progress ClientHandshake::advance(const Socket& socket) {
  while (true) {
    while (wants_write()) {
      const Moved moved = send_some(socket, out_.data() + sent_, out_.size() - sent_);
      if (moved.state == Moved::State::kBlocked) return Progress::kRunning;
      if (moved.state == Moved::State::kEnded) return Progress::kFailed;
      sent_ += moved.bytes;
    }
    const size_t wanted = stage_ == Stage::kNonce ? kNonceBytes : sizeof(Digest);
    const Moved moved = receive_some(socket, in_.data() + received_, wanted - received_);
    if (moved.state == Moved::State::kBlocked) return Progress::kRunning;
    if (moved.state == Moved::State::kEnded) return Progress::kFailed;
    received_ += moved.bytes;
    if (received_ < wanted) continue;
    received_ = 0;
    if (stage_ == Stage::kAnswer) return step() ? Progress::kDone : Progress::kFailed;
    if (!step()) return Progress::kFailed;
  }
}

bool ClientHandshake::step() {
  if (stage_ == Stage::kNonce) {
    std::copy_n(in_.begin(), kNonceBytes, nonce_.begin());
    out_ = view(derive(secret_, kClientProof, hello_bytes_, view(nonce_)));
    sent_ = 0;
    stage_ = Stage::kAnswer;
    return true;
  }
  const Digest proof = derive(secret_, kServerProof, hello_bytes_, view(nonce_));
  return equal_digests(proof.data(), in_.data(), proof.size());
}

ChannelKeys ClientHandshake::keys() const {
  return {derive(secret_, kClientFrames, hello_bytes_, view(nonce_)),
          derive(secret_, kServerFrames, hello_bytes_, view(nonce_))};
}

}  // namespace goss::bootstrap

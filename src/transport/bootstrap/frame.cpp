// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/frame.h"

#include <poll.h>

namespace goss::bootstrap {

namespace {

constexpr size_t kReadBytes = 16 * 1024;
constexpr int kReadsPerCall = 32;  // so that one busy peer does not keep the others waiting

Digest tag_of(const Secret& key, uint64_t sequence, std::string_view header,
              std::string_view payload) {
  Writer number;
  number.u64(sequence);
  return hmac_sha256(view(key), {number.bytes(), header, payload});
}

}  // namespace

Channel::Channel(Socket socket, const ChannelKeys& keys)
    : socket_(std::move(socket)), keys_(keys) {}

void Channel::queue(FrameType type, std::string_view payload) {
  GOSS_ASSERT(payload.size() <= kMaxPayloadBytes, "a bootstrap frame is too long");
  if (write_ended_) return;
  Writer header;
  header.u32(static_cast<uint32_t>(payload.size()));
  header.u8(static_cast<uint8_t>(type));
  header.zeros(3);
  const Digest tag = tag_of(keys_.send, send_sequence_++, header.bytes(), payload);
  out_ += header.bytes();
  out_ += payload;
  out_ += view(tag).substr(0, kFrameTagBytes);
}

void Channel::flush() {
  while (!write_ended_ && sent_ < out_.size()) {
    const Moved moved = send_some(socket_, out_.data() + sent_, out_.size() - sent_);
    if (moved.state == Moved::State::kBlocked) break;
    // What the peer sent before it closed may still be unread: only reading ends the channel.
    if (moved.state == Moved::State::kEnded) write_ended_ = true;
    sent_ += moved.bytes;
  }
  if (write_ended_ || sent_ == out_.size()) {
    out_.clear();
    sent_ = 0;
  } else if (sent_ > out_.size() / 2) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
}

bool Channel::receive(std::vector<Frame>* frames) {
  char buffer[kReadBytes];
  for (int i = 0; i < kReadsPerCall && !read_ended_; ++i) {
    const Moved moved = receive_some(socket_, buffer, sizeof(buffer));
    if (moved.state == Moved::State::kBlocked) break;
    if (moved.state == Moved::State::kEnded) {
      read_ended_ = true;
      ending_ = moved.error == 0 ? "the connection was closed" : error_text(moved.error);
      break;
    }
    in_.append(buffer, moved.bytes);
    if (!take_frames(frames)) {
      read_ended_ = write_ended_ = true;
      ending_ = "a frame was not authentic";
      break;
    }
    if (moved.bytes < sizeof(buffer)) break;
  }
  return !read_ended_;
}

// Moves the whole frames of in_ to *frames; false when one is not acceptable.
bool Channel::take_frames(std::vector<Frame>* frames) {
  size_t used = 0;
  while (in_.size() - used >= kFrameHeaderBytes) {
    const std::string_view rest = std::string_view(in_).substr(used);
    Reader header(rest.substr(0, kFrameHeaderBytes));
    const size_t bytes = header.u32();
    const auto type = static_cast<FrameType>(header.u8());
    if (bytes > kMaxPayloadBytes) return false;
    if (rest.size() < kFrameHeaderBytes + bytes + kFrameTagBytes) break;
    const std::string_view payload = rest.substr(kFrameHeaderBytes, bytes);
    const Digest tag =
        tag_of(keys_.receive, receive_sequence_++, rest.substr(0, kFrameHeaderBytes), payload);
    if (!equal_digests(tag.data(), payload.data() + bytes, kFrameTagBytes)) return false;
    frames->push_back({type, std::string(payload)});
    used += kFrameHeaderBytes + bytes + kFrameTagBytes;
  }
  in_.erase(0, used);
  if (in_.empty() && in_.capacity() > 4 * kReadBytes) in_.shrink_to_fit();
  return true;
}

short Channel::poll_mask() const {
  const bool more = !write_ended_ && sent_ < out_.size();
  return static_cast<short>(POLLIN | (more ? POLLOUT : 0));
}

}  // namespace goss::bootstrap

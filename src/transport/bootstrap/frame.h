// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Channel: frames over an authenticated connection. A frame is length, type, payload and a MAC over
// its sequence number and all of it, under a key of its own per direction; a frame that is altered,
// repeated, left out or moved ends the channel. The length is checked before anything is allocated.
// Used by Root, Bootstrap and Mesh; non-blocking; one thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "transport/bootstrap/socket.h"
#include "transport/bootstrap/unique_id.h"
#include "transport/hmac.h"

namespace goss::bootstrap {

enum class FrameType : uint8_t {
  // Between a rank and the root.
  kJoin = 1,
  kWaiting,
  kTable,
  kConnected,
  kComplete,
  kFailed,
  kGiveUp,
  // Between two ranks.
  kLinkUp,
  kBlocks,
  kFlood,
  kFailure,
  kHeartbeat,
  kLeave,
};

struct Frame {
  FrameType type;
  std::string payload;
};

struct ChannelKeys {
  Secret send{};
  Secret receive{};
};

constexpr size_t kFrameHeaderBytes = 8;  // length 4, type 1, zero 3
constexpr size_t kFrameTagBytes = 16;    // HMAC-SHA256 cut to 128 bits
constexpr size_t kMaxPayloadBytes = 64 * 1024 + 256;

class Channel {
 public:
  Channel(Socket socket, const ChannelKeys& keys);

  void queue(FrameType type, std::string_view payload);
  void flush();  // as much as the kernel takes
  // Appends whole frames; returns false once the connection has ended and all frames were read.
  bool receive(std::vector<Frame>* frames);

  bool idle() const { return sent_ == out_.size(); }  // nothing left to flush
  const Socket& socket() const { return socket_; }
  short poll_mask() const;
  const std::string& ending() const { return ending_; }  // why it ended, for people

 private:
  bool take_frames(std::vector<Frame>* frames);

  Socket socket_;
  ChannelKeys keys_;
  uint64_t send_sequence_ = 0;
  uint64_t receive_sequence_ = 0;
  std::string out_;
  size_t sent_ = 0;
  std::string in_;
  bool write_ended_ = false;
  bool read_ended_ = false;
  std::string ending_;
};

}  // namespace goss::bootstrap

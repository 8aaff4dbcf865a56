// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// RemoteChannel: the transfers of one way between this rank and one on another host, in order. A
// transfer begins with a head, which says its type and count and carries it when it is short; the
// rest follows in pieces, once the receiver has seen that both sides mean the same.
//
// As in shared memory, a transfer of up to 64 KiB does not wait for its receiver: it is copied.
//
// A transfer that is compressed has a head by itself, and pieces that are encoded by themselves.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "engine/communicator.h"
#include "engine/compression.h"
#include "engine/encoded_message.h"
#include "transport/messenger.h"

namespace goss::engine {

class RemoteChannel {
 public:
  // Longer transfers are sent from where they are.
  static constexpr size_t kMostCopied = size_t{64} * 1024;

  RemoteChannel(Communicator& comm, int peer);
  // Frees no buffer that a message is still on its way to or from.
  ~RemoteChannel();
  RemoteChannel(const RemoteChannel&) = delete;
  RemoteChannel& operator=(const RemoteChannel&) = delete;

  // kBroken: failure() says why.
  enum class Step { kBlocked, kMoved, kDone, kDiffers, kBroken };
  Step send(Communicator& comm, const Transfer& transfer);
  // kDiffers: the sender sends `type` and `count`, compressed as `codec`.
  Step receive(Communicator& comm, const Transfer& transfer);
  uint64_t type() const { return head_.type; }
  uint64_t count() const { return head_.count; }
  uint32_t codec() const { return static_cast<uint32_t>(head_.codec); }
  const Status& failure() const { return failure_; }
  // After kDone: how that transfer was compressed, and what it did.
  const std::optional<CodecChoice>& compression() const { return compression_; }
  const CompressedOutcome& outcome() const { return outcome_; }
  // Why messages to this peer fail; ok as long as none did.
  const Status& trouble() const { return trouble_; }

 private:
  using Request = transport::MessageRequest;
  static constexpr size_t kPieces = 4;  // on their way at once
  static constexpr size_t kPieceBytes = size_t{1} * 1024 * 1024;
  static constexpr size_t kHeadBytes = 1024;

  struct Head {
    uint64_t type = 0;
    uint64_t count = 0;
    uint64_t codec = 0;  // CodecChoice::packed(), 0: the elements as they are
  };
  struct Piece {
    Request request;
    size_t first = 0;
    size_t bytes = 0;
    std::vector<std::byte> copy;  // encoded, or where the host must not touch the buffer
  };

  void begin(Communicator& comm, const Transfer& transfer);
  size_t encoded_bytes(const Transfer& transfer, size_t bytes) const;
  void encode(Communicator& comm, const Transfer& transfer, size_t first, size_t bytes,
              std::byte* to);
  void add_figures(const quant::Figures& figures);
  bool decode(Communicator& comm, const Transfer& transfer, const Piece& piece);
  bool ended(Piece* piece);
  Step move_pieces(Communicator& comm, const Transfer& transfer);
  void post_piece(Communicator& comm, const Transfer& transfer, Piece* piece);
  Step finish();

  int rank_;  // in the communicator
  transport::Messenger* messenger_;
  int peer_;  // in the job
  transport::MessageKey key_;
  bool begun_ = false;       // send: the head has gone; receive: it is awaited
  bool head_known_ = false;  // receive
  Head head_;
  Request head_request_;
  std::array<std::byte, kHeadBytes> head_bytes_;
  std::array<Piece, kPieces> pieces_;
  size_t posted_ = 0;  // bytes of the transfer that are on their way or have been
  size_t done_ = 0;
  std::optional<CodecChoice> compression_;  // of the current transfer
  CompressedOutcome outcome_;
  quant::Dither dither_;
  Status trouble_;
  Status failure_;
};

}  // namespace goss::engine

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/remote_channel.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/span.h"

namespace goss::engine {

namespace {
constexpr uint64_t kTransfers = UINT64_MAX - 1;  // number of these messages
}

RemoteChannel::RemoteChannel(Communicator& comm, int peer)
    : messenger_(comm.span()->messenger()),
      peer_(comm.parts().job_ranks[static_cast<size_t>(peer)]),
      key_{comm.parts().id, kTransfers} {}

RemoteChannel::~RemoteChannel() {
  cancel(messenger_, &head_request_);
  for (Piece& piece : pieces_) cancel(messenger_, &piece.request);
}

RemoteChannel::Step RemoteChannel::finish() {
  begun_ = false;
  head_known_ = false;
  posted_ = 0;
  done_ = 0;
  return Step::kDone;
}

RemoteChannel::Step RemoteChannel::send(Communicator& comm, const Transfer& transfer) {
  const size_t bytes = transfer.bytes();
  const auto copy = [&](std::byte* to, size_t length) {
    if (length > 0) comm.compute().copy(to, transfer.buffer, length, reduce::Store::kCached);
  };
  if (!begun_) {
    head_ = {static_cast<uint64_t>(transfer.type), transfer.count};
    const size_t behind = bytes <= kHeadBytes - sizeof(Head) ? bytes : 0;
    const bool posted = comm.span()->post_copy(peer_, key_, sizeof(Head) + behind, [&](auto* to) {
      std::memcpy(to, &head_, sizeof(head_));
      copy(to + sizeof(head_), behind);
    });
    if (!posted) return Step::kBlocked;
    begun_ = true;
    comm.stats.sent_bytes += behind;
    if (behind == bytes) return finish();
  }
  if (bytes <= kMostCopied) {
    const bool posted =
        comm.span()->post_copy(peer_, key_, bytes, [&](auto* to) { copy(to, bytes); });
    if (!posted) return Step::kBlocked;
    comm.stats.sent_bytes += bytes;
    return finish();
  }
  return move_pieces(comm, transfer);
}

RemoteChannel::Step RemoteChannel::receive(Communicator& comm, const Transfer& transfer) {
  if (!begun_) {
    messenger_->receive(peer_, key_, head_bytes_, &head_request_);
    begun_ = true;
  }
  const size_t bytes = transfer.bytes();
  if (!head_known_) {
    if (head_request_.state == Request::State::kFailed) trouble_ = head_request_.failure;
    if (head_request_.state != Request::State::kDone) return Step::kBlocked;
    head_request_.state = Request::State::kIdle;
    if (head_request_.bytes < sizeof(head_)) return Step::kDiffers;
    std::memcpy(&head_, head_bytes_.data(), sizeof(head_));
    const bool same =
        head_.type == static_cast<uint64_t>(transfer.type) && head_.count == transfer.count;
    if (!same) return Step::kDiffers;
    head_known_ = true;
    const size_t behind = head_request_.bytes - sizeof(head_);
    if (behind > 0) {
      comm.compute().copy(transfer.buffer, head_bytes_.data() + sizeof(head_), behind,
                          reduce::Store::kCached);
    }
    if (behind == bytes) return finish();
  }
  return move_pieces(comm, transfer);
}

// Ends what has ended and posts what may be posted.
RemoteChannel::Step RemoteChannel::move_pieces(Communicator& comm, const Transfer& transfer) {
  bool moved = false;
  for (size_t i = 0; i < kPieces; ++i) {
    // In the order of their posting.
    Piece& piece = pieces_[(done_ / kPieceBytes) % kPieces];
    if (piece.request.state == Request::State::kIdle) break;
    if (!ended(&piece)) break;
    if (transfer.way == Transfer::Way::kReceive && !comm.compute().host_memory()) {
      comm.compute().copy(transfer.buffer + piece.first, piece.copy.data(), piece.bytes,
                          reduce::Store::kCached);
    }
    piece.request.state = Request::State::kIdle;
    done_ += piece.bytes;
    moved = true;
  }
  if (done_ == transfer.bytes()) return finish();
  while (posted_ < transfer.bytes() && trouble_.ok()) {
    Piece& piece = pieces_[(posted_ / kPieceBytes) % kPieces];
    if (piece.request.state != Request::State::kIdle) break;
    post_piece(comm, transfer, &piece);
    moved = true;
  }
  return moved ? Step::kMoved : Step::kBlocked;
}

bool RemoteChannel::ended(Piece* piece) {
  if (piece->request.state == Request::State::kFailed) trouble_ = piece->request.failure;
  return piece->request.state == Request::State::kDone;
}

void RemoteChannel::post_piece(Communicator& comm, const Transfer& transfer, Piece* piece) {
  piece->first = posted_;
  piece->bytes = std::min(kPieceBytes, transfer.bytes() - posted_);
  posted_ += piece->bytes;
  std::byte* place = transfer.buffer + piece->first;
  const bool sends = transfer.way == Transfer::Way::kSend;
  if (!comm.compute().host_memory()) {
    piece->copy.resize(piece->bytes);
    if (sends) {
      comm.compute().copy(piece->copy.data(), place, piece->bytes, reduce::Store::kCached);
    }
    place = piece->copy.data();
  }
  if (sends) {
    messenger_->send(peer_, key_, {place, piece->bytes}, &piece->request);
    comm.stats.sent_bytes += piece->bytes;
  } else {
    messenger_->receive(peer_, key_, {place, piece->bytes}, &piece->request);
  }
}

}  // namespace goss::engine

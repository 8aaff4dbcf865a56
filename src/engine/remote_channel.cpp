// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/remote_channel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "engine/encoded_message.h"
#include "engine/span.h"

namespace goss::engine {

namespace {
constexpr uint64_t kTransfers = UINT64_MAX - 1;  // number of these messages
}

RemoteChannel::RemoteChannel(Communicator& comm, int peer)
    : rank_(peer),
      messenger_(comm.span()->messenger()),
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

// How the transfer is compressed: both sides find the same, or the head tells.
void RemoteChannel::begin(Communicator& comm, const Transfer& transfer) {
  begun_ = true;
  compression_.reset();
  outcome_ = {};
  outcome_.elements = transfer.count;
  // What would be refused was refused before it began.
  const Result<CompressionChoice> choice = choose_compression(transfer, comm.settings().codecs);
  if (choice.ok()) compression_ = choice.value().use;
  if (!compression_ || transfer.way != Transfer::Way::kSend) return;
  dither_.seed = transfer.seed;
  dither_.step = transfer.step.value_or(comm.pairs[static_cast<size_t>(rank_)].encoded);
  dither_.rank = static_cast<uint32_t>(comm.rank());
}

RemoteChannel::Step RemoteChannel::send(Communicator& comm, const Transfer& transfer) {
  const size_t bytes = transfer.bytes();
  const auto copy = [&](std::byte* to, size_t length) {
    if (length > 0) comm.compute().copy(to, transfer.buffer, length, reduce::Store::kCached);
  };
  if (!begun_) {
    begin(comm, transfer);
    head_ = {static_cast<uint64_t>(transfer.type), transfer.count,
             compression_ ? compression_->packed() : 0};
    const bool inlined = !compression_ && bytes <= kHeadBytes - sizeof(Head);
    const size_t behind = inlined ? bytes : 0;
    const bool posted = comm.span()->post_copy(peer_, key_, sizeof(Head) + behind, [&](auto* to) {
      std::memcpy(to, &head_, sizeof(head_));
      copy(to + sizeof(head_), behind);
    });
    begun_ = posted;
    if (!posted) return Step::kBlocked;
    if (compression_) ++comm.pairs[static_cast<size_t>(rank_)].encoded;
    comm.stats.sent_bytes += behind;
    if (behind == bytes) return finish();
  }
  if (bytes <= kMostCopied) {
    const size_t length = encoded_bytes(transfer, bytes);
    const bool posted = comm.span()->post_copy(peer_, key_, length, [&](auto* to) {
      if (compression_) {
        encode(comm, transfer, 0, bytes, to);
      } else {
        copy(to, bytes);
      }
    });
    if (!posted) return Step::kBlocked;
    comm.stats.sent_bytes += length;
    return finish();
  }
  return move_pieces(comm, transfer);
}

RemoteChannel::Step RemoteChannel::receive(Communicator& comm, const Transfer& transfer) {
  if (!begun_) {
    begin(comm, transfer);
    messenger_->receive(peer_, key_, head_bytes_, &head_request_);
  }
  const size_t bytes = transfer.bytes();
  if (!head_known_) {
    if (head_request_.state == Request::State::kFailed) trouble_ = head_request_.failure;
    if (head_request_.state != Request::State::kDone) return Step::kBlocked;
    head_request_.state = Request::State::kIdle;
    if (head_request_.bytes < sizeof(head_)) return Step::kDiffers;
    std::memcpy(&head_, head_bytes_.data(), sizeof(head_));
    const bool same = head_.type == static_cast<uint64_t>(transfer.type) &&
                      head_.count == transfer.count &&
                      head_.codec == (compression_ ? compression_->packed() : 0);
    if (!same) return Step::kDiffers;
    head_known_ = true;
    const size_t behind = head_request_.bytes - sizeof(head_);
    if (behind > 0 && (compression_ || behind != bytes)) return Step::kDiffers;
    if (behind > 0) {
      comm.compute().copy(transfer.buffer, head_bytes_.data() + sizeof(head_), behind,
                          reduce::Store::kCached);
    }
    if (behind == bytes) return finish();
  }
  return move_pieces(comm, transfer);
}

// ---- encoded pieces -----------------------------------------------------------------------------

// Of a message with so many bytes of the transfer.
size_t RemoteChannel::encoded_bytes(const Transfer& transfer, size_t bytes) const {
  if (!compression_) return bytes;
  return encoded_message_bytes(compression_->reduce, bytes / type_size(transfer.type));
}

// The `bytes` from byte `first` on, as a message. Pieces begin at whole units of every codec.
void RemoteChannel::encode(Communicator& comm, const Transfer& transfer, size_t first, size_t bytes,
                           std::byte* to) {
  static_assert(kPieceBytes / sizeof(double) % quant::kSignUnit == 0);
  const size_t element = type_size(transfer.type);
  auto* const header = reinterpret_cast<uint8_t*>(to);
  uint8_t* const payload = header + quant::kChunkHeaderBytes;
  quant::Figures figures;
  quant::Encode encode{.how = {.codec = compression_->reduce,
                               .rounding = compression_->rounding,
                               .mx_scale = compression_->mx_scale,
                               .dither = dither_},
                       .src = transfer.buffer + first,
                       .type = transfer.type,
                       .count = bytes / element,
                       .dst = payload,
                       .first_element = first / element,
                       .figures = &figures};
  comm.compute().encode(encode);
  quant::ChunkHeader head{.codec = compression_->reduce};
  head.stochastic = compression_->rounding == quant::Rounding::kStochastic;
  head.special_seen = std::isinf(figures.bound);
  head.count = encode.count;
  head.sequence = first / element;
  head.seed_id = static_cast<uint32_t>(dither_.seed);
  quant::write_chunk_header(head, header);
  write_figures(figures, payload + quant::encoded_bytes(head.codec, head.count));
  add_figures(figures);
  outcome_.sent_bytes += encoded_bytes(transfer, bytes);
  outcome_.plain_bytes += bytes;
}

void RemoteChannel::add_figures(const quant::Figures& figures) {
  outcome_.figures.bound = std::max(outcome_.figures.bound, figures.bound);
  outcome_.figures.noise += figures.noise;
}

// False: the bytes are not what a sender writes.
bool RemoteChannel::decode(Communicator& comm, const Transfer& transfer, const Piece& piece) {
  const size_t element = type_size(transfer.type);
  const size_t count = piece.bytes / element;
  const auto* const header = reinterpret_cast<const uint8_t*>(piece.copy.data());
  const Result<quant::ChunkHeader> head =
      quant::read_chunk_header({header, quant::kChunkHeaderBytes});
  if (!head.ok() || head.value().codec != compression_->reduce || head.value().count != count ||
      head.value().sequence != piece.first / element) {
    failure_ = fail(gossInternalError, "%s sent an encoded piece of a message that is none: %s",
                    comm.name_of(rank_).c_str(),
                    head.ok() ? "it is another one" : head.status().message().c_str());
    return false;
  }
  const uint8_t* const payload = header + quant::kChunkHeaderBytes;
  comm.compute().decode(
      {compression_->reduce, payload, transfer.buffer + piece.first, transfer.type, count});
  add_figures(read_figures(payload + quant::encoded_bytes(compression_->reduce, count)));
  return true;
}

// ---- pieces -------------------------------------------------------------------------------------

// Ends what has ended and posts what may be posted.
RemoteChannel::Step RemoteChannel::move_pieces(Communicator& comm, const Transfer& transfer) {
  bool moved = false;
  for (size_t i = 0; i < kPieces; ++i) {
    // In the order of their posting.
    Piece& piece = pieces_[(done_ / kPieceBytes) % kPieces];
    if (piece.request.state == Request::State::kIdle) break;
    if (!ended(&piece)) break;
    const bool receives = transfer.way == Transfer::Way::kReceive;
    if (receives && piece.request.bytes != encoded_bytes(transfer, piece.bytes)) {
      failure_ = fail(gossInternalError, "%s sent a piece of %zu bytes where %zu were expected",
                      comm.name_of(rank_).c_str(), piece.request.bytes,
                      encoded_bytes(transfer, piece.bytes));
      return Step::kBroken;
    }
    if (receives && compression_) {
      if (!decode(comm, transfer, piece)) return Step::kBroken;
    } else if (receives && !comm.compute().host_memory()) {
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
    if (compression_) break;  // encoding takes its time; others want to get on, too
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
  const size_t length = encoded_bytes(transfer, piece->bytes);
  const bool sends = transfer.way == Transfer::Way::kSend;
  if (compression_) {
    piece->copy.resize(length);
    place = piece->copy.data();
    if (sends) encode(comm, transfer, piece->first, piece->bytes, place);
  } else if (!comm.compute().host_memory()) {
    piece->copy.resize(piece->bytes);
    if (sends) {
      comm.compute().copy(piece->copy.data(), place, piece->bytes, reduce::Store::kCached);
    }
    place = piece->copy.data();
  }
  if (sends) {
    messenger_->send(peer_, key_, {place, length}, &piece->request);
    comm.stats.sent_bytes += length;
  } else {
    messenger_->receive(peer_, key_, {place, length}, &piece->request);
  }
}

}  // namespace goss::engine

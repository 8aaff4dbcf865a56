// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a communicator has to do with messages between pairs of ranks, beside its collectives.
#include "base/log.h"
#include "engine/communicator.h"
#include "engine/compression.h"

namespace goss::engine {

Status Communicator::check_transfer(const Transfer& transfer, std::chrono::milliseconds waited) {
  Status reason;
  if (interrupted(&reason)) return reason;
  tell_waiting(transfer.peer, waited);
  return check_patience(transfer.peer, waited, [&] {
    return format("%s of communicator '%s'", describe(transfer).c_str(), settings().name.c_str());
  });
}

Status Communicator::left_message(const Transfer& transfer) const {
  return fail(gossRemoteError,
              "%s left (it destroyed the communicator or exited) while %s waited in %s of "
              "communicator '%s'",
              name_of(transfer.peer).c_str(), name_of(rank()).c_str(), describe(transfer).c_str(),
              settings().name.c_str());
}

Status Communicator::message_mismatch(int sender, uint64_t type, uint64_t count,
                                      const Transfer& receive, uint32_t codec) {
  // Inside a collective it is the calls that differ.
  if (exchanging != 0 && differs(sender, exchanging)) return mismatch(sender, exchanging);
  const std::string theirs = valid_type(static_cast<int>(type))
                                 ? type_name(static_cast<DataType>(type))
                                 : std::string("unknown type");
  const auto how = [](uint32_t packed) {
    return packed == 0 ? std::string() : ", compressed as " + describe_packed(packed);
  };
  uint32_t mine = 0;
  const Result<CompressionChoice> choice = choose_compression(receive, settings().codecs);
  const bool between_hosts = sender != rank() && remote(sender);
  if (between_hosts && choice.ok() && choice.value().use) mine = choice.value().use->packed();
  return fail(
      gossInvalidUsage,
      "a message of communicator '%s' differs between ranks: %s sent %llu of %s%s, %s called "
      "%s%s. Both sides of a message give the same count, type and codec",
      settings().name.c_str(), name_of(sender).c_str(), static_cast<unsigned long long>(count),
      theirs.c_str(), how(codec).c_str(), name_of(rank()).c_str(), describe(receive).c_str(),
      how(mine).c_str());
}

void Communicator::say_waiting(const Transfer* transfer) {
  uint32_t value = 0;
  if (transfer != nullptr) {
    value = 1 + 2 * static_cast<uint32_t>(transfer->peer) + (transfer->to_peer() ? 0 : 1);
  }
  if (mine_->waiting.load(std::memory_order_relaxed) != value) {
    mine_->waiting.store(value, std::memory_order_relaxed);
  }
}

void Communicator::end_transfers(const Operation& operation) {
  stats.operations += operation.ntransfers;
  for (size_t i = 0; i < operation.ntransfers; ++i) {
    if (operation.transfers[i].to_peer()) {
      stats.payload_bytes += operation.transfers[i].bytes();
    }
  }
}

}  // namespace goss::engine

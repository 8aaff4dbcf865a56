// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/parent_exchange.h"

#include <utility>

namespace goss::engine {

namespace {
constexpr uint64_t kCheckEvery = 64;
}

ParentExchange::ParentExchange(Communicator* parent, const char* what, std::vector<int64_t> table)
    : parent_(parent), what_(what), table_(std::move(table)) {
  operation_.kind = collectives::Kind::kAllReduce;
  operation_.type = gossInt64;
  operation_.op = gossSum;
  operation_.count = table_.size();
  auto* bytes = reinterpret_cast<std::byte*>(table_.data());
  operation_.buffer = {bytes, bytes, table_.size()};
}

ParentExchange::~ParentExchange() {
  if (!started_ || settled_) return;
  parent_->faults().raise(fail(gossRemoteError, "rank %d gave up %s communicator '%s'",
                               parent_->rank(), what_, parent_->settings().name.c_str()));
  ring_doorbells(parent_->segment());
}

Result<bool> ParentExchange::advance() {
  if (complete_) return true;
  Progress progress;
  if (!started_) {
    started_ = true;
    began_ = std::chrono::steady_clock::now();
    progress = execution_.start(*parent_, operation_);
  } else {
    progress = execution_.advance(*parent_);
  }
  // Waiting properly is for whoever drives several of these; slow questions now and then are not.
  if (progress == Progress::kBlocked && ++polls_ % kCheckEvery == 0) {
    const auto waited = std::chrono::steady_clock::now() - began_;
    progress =
        execution_.check(*parent_, std::chrono::duration_cast<std::chrono::milliseconds>(waited));
  }
  if (progress == Progress::kBlocked) return false;
  if (progress == Progress::kFailed) return Status(execution_.failure());
  complete_ = true;
  return true;
}

}  // namespace goss::engine

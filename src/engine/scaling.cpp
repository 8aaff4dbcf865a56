// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/scaling.h"

#include <algorithm>
#include <cstring>

namespace goss::engine {

using collectives::Kind;

namespace {

// Stays in the first-level cache.
constexpr size_t kFactorBytes = 4096;
constexpr size_t kPieceBytes = size_t{1} << 20;

size_t input_count(const Operation& operation, int nranks) {
  if (operation.kind != Kind::kReduceScatter) return operation.count;
  if (operation.block_counts == nullptr) return operation.count * static_cast<size_t>(nranks);
  size_t count = 0;
  for (int r = 0; r < nranks; ++r) count += operation.block_counts[r];
  return count;
}

}  // namespace

void Scaling::start(Communicator& comm, Operation* operation) {
  type_ = operation->type;
  const size_t element = type_size(type_);
  count_ = input_count(*operation, comm.nranks());
  done_ = 0;
  uint64_t scalar = operation->scale.bits;
  if (operation->scale.at != nullptr) {
    comm.compute().copy(&scalar, operation->scale.at, element, reduce::Store::kCached);
  }
  factor_.resize(kFactorBytes);
  for (size_t at = 0; at < kFactorBytes; at += element) {
    std::memcpy(factor_.data() + at, &scalar, element);
  }
  const bool fits = operation->kind == Kind::kAllReduce ||
                    (operation->kind == Kind::kReduce && operation->root == comm.rank());
  if (!fits) own_memory_.reset(new std::byte[count_ * element]);
  input_ = operation->buffer.input;
  products_ = fits ? operation->buffer.output : own_memory_.get();
  operation->buffer.input = products_;
  operation->scale = {};
  operation->scale.done = true;  // what it is made of does not multiply again
}

void Scaling::advance(Communicator& comm) {
  const size_t element = type_size(type_);
  const size_t end = std::min(count_, done_ + kPieceBytes / element);
  const reduce::ReduceFn multiply = reduce::kernel(type_, gossProd);
  while (done_ < end) {
    const void* sources[] = {input_ + done_ * element, factor_.data()};
    reduce::Arguments arguments{};
    arguments.dst = products_ + done_ * element;
    arguments.sources = sources;
    arguments.nsources = 2;
    arguments.count = std::min(end - done_, kFactorBytes / element);
    comm.compute().reduce(multiply, arguments);
    done_ += arguments.count;
  }
}

void Scaling::release() {
  count_ = done_ = 0;
  own_memory_.reset();
}

}  // namespace goss::engine

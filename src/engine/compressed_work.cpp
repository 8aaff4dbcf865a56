// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a compressed collective does to numbers: encode, reduce and encode, decode.
//
// Errors travel with the bytes. Those of a buffer whose readers copy it are complete; those of one
// whose readers reduce it are without its last encoding, which readers see in its scales, block by
// block, and so more exactly.
#include <algorithm>
#include <limits>

#include "engine/compressed_execution.h"

namespace goss::engine {

using Code = ExchangeWork::Code;

// `place`: of this rank among those that take part, so that ranks of a host that encode the same
// numbers give the same bits.
quant::Dither CompressedExecution::dither(int place) const {
  const CallOptions* options = operation_.options;
  quant::Dither dither;
  dither.seed = options != nullptr ? options->seed : 0;
  dither.step = options != nullptr && options->step ? *options->step : number_;
  dither.rank = static_cast<uint32_t>(place);
  return dither;
}

// The place of an element in the numbers that a rank encodes: every one has its own, and they are
// multiples of 8 where stretches begin.
uint64_t CompressedExecution::dither_place(int region, size_t first) const {
  if (program_->vectors()) return offset_ + partition_.begin(region) + first;
  return static_cast<uint64_t>(region) * align_up(operation_.count, unit_) + first;
}

quant::EncodeOptions CompressedExecution::encoding(int buffer, float factor) const {
  return {.codec = codec(buffer),
          .rounding = how_.rounding,
          .mx_scale = how_.mx_scale,
          .dither = dither_,
          .factor = factor};
}

bool CompressedExecution::ready(const Slot& slot, const ExchangeWork& work) const {
  const auto filled = [&](int buffer) { return slot.filled[static_cast<size_t>(buffer)] != 0; };
  if (work.code == Code::kDecode) return filled(work.buffer);
  return std::all_of(work.sources.begin(), work.sources.end(), [&](int source) {
    return source == ExchangeWork::kOwnInput || filled(source);
  });
}

// One piece of work, of the oldest chunk that has some. Whether there was any.
bool CompressedExecution::do_some_work(Communicator& comm) {
  Slot* oldest = nullptr;
  for (Slot& slot : slots_) {
    if (slot.chunk >= chunks_) continue;
    if (slot.next_work == program_->work.size()) {
      if (slot.unsent > 0) continue;
      ++chunks_done_;
      ++work_done_;
      const size_t next = slot.chunk + kSlots;
      if (next < chunks_) {
        open(&slot, next);
      } else {
        slot.chunk = std::numeric_limits<size_t>::max();
        continue;
      }
    }
    if (!ready(slot, program_->work[slot.next_work])) continue;
    if (oldest == nullptr || slot.chunk < oldest->chunk) oldest = &slot;
  }
  if (oldest == nullptr) return false;
  execute(comm, oldest, program_->work[oldest->next_work]);
  ++oldest->next_work;
  ++work_done_;
  return true;
}

void CompressedExecution::execute(Communicator& comm, Slot* slot, const ExchangeWork& work) {
  const Stretch where = stretch(work.region, slot->chunk);
  if (where.count == 0) return;
  std::byte* output = operation_.buffer.output + (output_place(work.part) + where.first) * element_;
  switch (work.code) {
    case Code::kEncode: return encode(comm, slot, work, where);
    case Code::kReduce: return reduce(comm, slot, work, where);
    case Code::kCopy: {
      const size_t from = input_place(work.input_part) + where.first;
      comm.compute().copy(output, operation_.buffer.input + from * element_, where.count * element_,
                          reduce::Store::kCached);
      return add_to_result({}, where.count);
    }
    case Code::kDecode:
      comm.compute().decode({codec(work.buffer), payload(slot->chunk, work.buffer), output,
                             operation_.type, where.count});
      return add_to_result(slot->errors[static_cast<size_t>(work.buffer)], where.count);
  }
}

void CompressedExecution::add_to_result(const quant::Figures& errors, size_t count) {
  outcome_.figures.bound = std::max(outcome_.figures.bound, errors.bound);
  outcome_.figures.noise += errors.noise;
  outcome_.elements += count;
}

void CompressedExecution::encode(Communicator& comm, Slot* slot, const ExchangeWork& work,
                                 const Stretch& where) {
  const size_t place = input_place(work.part) + where.first;
  const bool reduced = program_->buffers[static_cast<size_t>(work.buffer)].reduced;
  quant::Encode encode{.how = encoding(work.buffer, 1),
                       .src = operation_.buffer.input + place * element_,
                       .type = operation_.type,
                       .count = where.count,
                       .dst = payload(slot->chunk, work.buffer),
                       .first_element = dither_place(work.region, where.first)};
  if (!reduced) encode.figures = &slot->errors[static_cast<size_t>(work.buffer)];
  if (feedback_ == nullptr) {
    comm.compute().encode(encode);
  } else {
    wide_.resize(std::max(wide_.size(), where.count));
    comm.compute().widen(encode.src, encode.type, where.count, wide_.data());
    feedback_->encode(offset_ + place, {wide_.data(), where.count}, encode);
  }
  slot->filled[static_cast<size_t>(work.buffer)] = 1;
}

// What the contributions are off beyond their last encoding; with those, if the result is passed on
// to be reduced further.
quant::Figures CompressedExecution::errors_besides_last(const Slot& slot, const ExchangeWork& work,
                                                        bool passed_on, size_t count) const {
  const bool sums = operation_.op == gossSum || operation_.op == gossAvg;
  quant::Figures all;
  for (size_t i = 0; i < work.sources.size(); ++i) {
    if (work.sources[i] == ExchangeWork::kOwnInput) continue;
    quant::Figures one = slot.errors[static_cast<size_t>(work.sources[i])];
    if (passed_on) {
      quant::Figures last;
      quant::add_error(encoding(work.sources[i], 1), sources_[i], count, &last);
      one.bound += last.bound;
      one.noise += last.noise;
    }
    all.bound = sums ? all.bound + one.bound : std::max(all.bound, one.bound);
    all.noise = sums ? all.noise + one.noise : std::max(all.noise, one.noise);
  }
  return all;
}

void CompressedExecution::reduce(Communicator& comm, Slot* slot, const ExchangeWork& work,
                                 const Stretch& where) {
  const bool encodes = work.buffer != ExchangeWork::kNone;
  const bool passed_on = encodes && program_->buffers[static_cast<size_t>(work.buffer)].reduced;
  const float factor = passed_on ? 1 : result_factor_;
  const size_t place = input_place(work.input_part) + where.first;
  sources_.clear();
  size_t own = std::numeric_limits<size_t>::max();
  for (size_t i = 0; i < work.sources.size(); ++i) {
    const bool mine = work.sources[i] == ExchangeWork::kOwnInput;
    if (mine) own = i;
    sources_.push_back(mine ? nullptr : payload(slot->chunk, work.sources[i]));
  }
  quant::Combine combine = quant::Combine::kSum;
  if (operation_.op == gossMin) combine = quant::Combine::kMin;
  if (operation_.op == gossMax) combine = quant::Combine::kMax;
  quant::Figures errors;
  quant::Hop hop{
      .peer_codec = how_.reduce,
      .peer_rounding = how_.rounding,
      .peer_mx_scale = how_.mx_scale,
      .peers = sources_.data(),
      .nranks = sources_.size(),
      .rank = own,
      .own = operation_.buffer.input + place * element_,
      .type = operation_.type,
      .count = where.count,
      .combine = combine,
      .how = encodes ? encoding(work.buffer, factor) : quant::EncodeOptions{.factor = factor},
      .first_element = dither_place(work.region, where.first)};
  if (encodes) hop.encoded = payload(slot->chunk, work.buffer);
  if (work.to_output) {
    hop.decoded = operation_.buffer.output + (output_place(work.part) + where.first) * element_;
  }
  if (!passed_on) hop.figures = &errors;
  if (feedback_ != nullptr && encodes) {
    reduce_with_feedback(comm, *slot, work, hop, place);
  } else {
    comm.compute().hop(hop);
  }
  const quant::Figures before = errors_besides_last(*slot, work, passed_on, where.count);
  errors.bound += before.bound * factor;
  errors.noise += before.noise * factor * factor;
  if (work.to_output) add_to_result(errors, where.count);
  if (!encodes) return;
  slot->errors[static_cast<size_t>(work.buffer)] = errors;
  slot->filled[static_cast<size_t>(work.buffer)] = 1;
}

// The same with the result in fp32 first, so that its residuals can be added.
void CompressedExecution::reduce_with_feedback(Communicator& comm, const Slot& slot,
                                               const ExchangeWork& work, quant::Hop hop,
                                               size_t place) {
  wide_.resize(std::max(wide_.size(), hop.count));
  if (hop.rank < hop.nranks) comm.compute().widen(hop.own, hop.type, hop.count, wide_.data());
  const quant::Hop wanted = hop;
  hop.own = wide_.data();
  hop.decoded = wide_.data();
  hop.type = gossFloat32;
  hop.encoded = nullptr;
  hop.how.factor = 1;  // residuals are those of the sum, whatever algorithm comes next
  host_compute().hop(hop);
  quant::Encode encode{.how = wanted.how,
                       .src = nullptr,  // all three: see Feedback::encode()
                       .type = gossFloat32,
                       .count = wanted.count,
                       .dst = payload(slot.chunk, work.buffer),
                       .first_element = wanted.first_element};
  quant::Figures last;
  if (wanted.figures != nullptr) encode.figures = &last;
  feedback_->encode(offset_ + place, {wide_.data(), wanted.count}, encode);
  if (wanted.figures != nullptr) {
    const auto factor = static_cast<double>(wanted.how.factor);
    wanted.figures->bound = wanted.figures->bound * factor + last.bound;
    wanted.figures->noise = wanted.figures->noise * factor * factor + last.noise;
  }
  if (wanted.decoded == nullptr) return;
  comm.compute().narrow(wide_.data(), wanted.type, wanted.count, wanted.decoded);
}

}  // namespace goss::engine

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "engine/feedback.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/status.h"
#include "quant/fp_mode.h"

namespace goss::engine {

namespace {

struct SavedHeader {
  static constexpr uint32_t kMagic = 0x464f5347;  // "GSOF"
  static constexpr uint32_t kVersion = 1;
  uint32_t magic = kMagic;
  uint32_t version = kVersion;
  uint64_t count = 0;
  uint32_t storage = 0;
  uint32_t reserved = 0;
};

const char* storage_name(Feedback::Storage storage) {
  return storage == Feedback::Storage::kInt8 ? "int8" : "fp32";
}

}  // namespace

Feedback::Feedback(size_t count, Storage storage)
    : count_(count), storage_(storage), residuals_(stored_bytes()) {}

size_t Feedback::stored_bytes() const {
  return storage_ == Storage::kInt8 ? quant::encoded_bytes(quant::Codec::kInt8, count_)
                                    : count_ * sizeof(float);
}

// All zero is zero in both forms.
void Feedback::reset() { std::fill(residuals_.begin(), residuals_.end(), std::byte{0}); }

void Feedback::encode(size_t place, std::span<float> values, quant::Encode how) {
  const quant::DefaultFpMode mode;
  const size_t n = values.size();
  const bool narrow = storage_ == Storage::kInt8;
  auto* kept = reinterpret_cast<uint8_t*>(residuals_.data()) +
               (narrow ? quant::encoded_bytes(quant::Codec::kInt8, place) : place * sizeof(float));
  if (work_.size() < n) work_.resize(n);
  float* residual = work_.data();
  if (narrow) {
    quant::decode({quant::Codec::kInt8, kept, residual, gossFloat32, n});
  } else {
    std::memcpy(residual, kept, n * sizeof(float));
  }
  for (size_t i = 0; i < n; ++i) residual[i] += values[i];  // what is encoded
  how.src = residual;
  how.type = gossFloat32;
  how.count = n;
  quant::encode(how);
  quant::decode({how.how.codec, how.dst, values.data(), gossFloat32, n});
  const float inverse = 1 / how.how.factor;
  for (size_t i = 0; i < n; ++i) {
    const float lost = residual[i] - values[i] * inverse;
    // A step that is not finite shows in the result; it must not stay for ever.
    residual[i] = std::isfinite(lost) ? lost : 0;
  }
  if (narrow) {
    quant::encode({.how = {.codec = quant::Codec::kInt8},
                   .src = residual,
                   .type = gossFloat32,
                   .count = n,
                   .dst = kept});
  } else {
    std::memcpy(kept, residual, n * sizeof(float));
  }
}

size_t Feedback::saved_bytes() const { return sizeof(SavedHeader) + residuals_.size(); }

void Feedback::save(std::byte* to) const {
  SavedHeader header;
  header.count = count_;
  header.storage = static_cast<uint32_t>(storage_);
  std::memcpy(to, &header, sizeof(header));
  std::copy(residuals_.begin(), residuals_.end(), to + sizeof(header));
}

Status Feedback::restore(std::span<const std::byte> from) {
  SavedHeader header;
  if (from.size() < sizeof(header)) {
    return fail(gossInvalidArgument, "restore : %zu bytes are no saved feedback", from.size());
  }
  std::memcpy(&header, from.data(), sizeof(header));
  if (header.magic != SavedHeader::kMagic || header.version != SavedHeader::kVersion) {
    return fail(gossInvalidArgument,
                "restore : the bytes are no saved feedback of version %u (magic %08x, version %u)",
                SavedHeader::kVersion, header.magic, header.version);
  }
  if (header.count != count_ || header.storage != static_cast<uint32_t>(storage_) ||
      from.size() != saved_bytes()) {
    return fail(gossInvalidArgument,
                "restore : %zu bytes with residuals of %llu elements do not fit feedback of %zu "
                "elements in %s (%zu bytes)",
                from.size(), static_cast<unsigned long long>(header.count), count_,
                storage_name(storage_), saved_bytes());
  }
  std::copy(from.begin() + sizeof(header), from.end(), residuals_.begin());
  return {};
}

}  // namespace goss::engine

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Loss codes: a loss as an unsigned number that sorts like the loss, so that the losses of all
// ranks come together by an all-reduce with maximum, whatever library does it. 0 is "not recorded"
// and the largest number "not finite"; the codes of finite floats lie between them.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace goss::adaptive {

constexpr uint32_t kNoLoss = 0;
constexpr uint32_t kBrokenLoss = UINT32_MAX;

inline uint32_t encode_loss(float loss) {
  if (!std::isfinite(loss)) return kBrokenLoss;
  const auto bits = std::bit_cast<uint32_t>(loss + 0.0f);  // -0 becomes 0
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

// Of a code that is neither of the two constants.
inline float decode_loss(uint32_t code) {
  return std::bit_cast<float>(code >> 31 != 0 ? code & 0x7FFFFFFFu : ~code);
}

// No loss at all, or a finite one: what a saved state may hold.
inline bool known_or_none(uint32_t code) {
  return code == kNoLoss || (code != kBrokenLoss && std::isfinite(decode_loss(code)));
}

}  // namespace goss::adaptive

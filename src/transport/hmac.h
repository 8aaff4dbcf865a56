// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// HMAC-SHA256 by OpenSSL and comparison in constant time, for all that a job authenticates or
// derives from its secret. Any thread; also while the program exits.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/status.h"

namespace goss {

using Digest = std::array<uint8_t, 32>;

// gossSystemError when OpenSSL offers no HMAC-SHA256. Ask once before the functions below.
Status check_crypto();

// Over the parts one after another. Callers keep parts apart by fixed lengths. Throws
// std::bad_alloc without memory, so a wrong digest can never come out.
Digest hmac_sha256(std::string_view key, std::initializer_list<std::string_view> parts);
Digest sha256(std::span<const std::string_view> parts);
inline Digest sha256(std::initializer_list<std::string_view> parts) {
  return sha256(std::span(parts.begin(), parts.size()));
}

// Time does not depend on where they differ.
bool equal_digests(const void* a, const void* b, size_t bytes);

template <size_t N>
std::string_view view(const std::array<uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

}  // namespace goss

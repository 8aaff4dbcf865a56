// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// UniqueId: what the 128 bytes of a gossUniqueId mean. It carries a random secret, so it has no
// printer. Values only; any thread.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace goss::bootstrap {

constexpr size_t kSecretBytes = 32;
using Secret = std::array<uint8_t, kSecretBytes>;

struct UniqueId {
  Secret secret{};                // authenticates every connection of the job
  std::array<uint8_t, 16> job{};  // random; tells jobs apart, may be logged
  sockaddr_storage address{};     // where the root listens (IPv4 or IPv6)
  socklen_t address_bytes = 0;
  bool root_listens = false;  // the root listened when the id was made: refusal means it is gone

  static Result<UniqueId> parse(const gossUniqueId& bytes);  // gossInvalidArgument when damaged
  gossUniqueId serialize() const;
};

// 32 bytes from a text of any length (SHA-256 with a domain prefix): GOSS_SECRET.
Secret secret_from_text(const std::string& text);
// Random bytes from the operating system; gossSystemError when it has none.
Status fill_random(void* data, size_t bytes);

}  // namespace goss::bootstrap

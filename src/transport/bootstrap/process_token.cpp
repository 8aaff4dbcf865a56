// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/bootstrap/process_token.h"

#include <unistd.h>

#include <cstring>

#include "transport/bootstrap/unique_id.h"

namespace goss::bootstrap {

Result<ProcessToken> process_token() {
  static const Result<ProcessToken> drawn = []() -> Result<ProcessToken> {
    ProcessToken token{};
    GOSS_TRY(fill_random(token.data(), token.size()));
    return token;
  }();
  if (!drawn.ok()) return Status(drawn.status());
  // Forked children share what was drawn and differ in the pid.
  ProcessToken token = drawn.value();
  const uint32_t pid = static_cast<uint32_t>(::getpid());
  uint32_t tail = 0;
  std::memcpy(&tail, token.data() + token.size() - sizeof(tail), sizeof(tail));
  tail ^= pid;
  std::memcpy(token.data() + token.size() - sizeof(tail), &tail, sizeof(tail));
  return token;
}

}  // namespace goss::bootstrap

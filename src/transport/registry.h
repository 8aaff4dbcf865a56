// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Where Messengers come from: a module, which is loaded when the first one is wanted. Programs whose
// ranks share memory never load it. Any thread.
#pragma once

#include "base/result.h"
#include "transport/messenger.h"

namespace goss::transport {

// gossSystemError says which file was missing or wrong, and what to install.
Result<MessengerPtr> open_messenger(const MessengerOptions& options);

}  // namespace goss::transport

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What a module that brings a Messenger shows to the library (registry.h), and nothing else: one
// object of the name kModuleSymbol. Library and module are built from the same sources.
#pragma once

#include "base/result.h"
#include "transport/messenger.h"

namespace goss::transport {

struct MessengerModule {
  int version_code;           // GOSS_VERSION_CODE
  uint64_t interface_number;  // kInterfaceNumber
  // `alone`: nothing of the process had loaded what the module is built on before.
  Result<MessengerPtr> (*open)(const MessengerOptions& options, bool alone);
};

// To be raised with every change of messenger.h or of the classes that it uses.
constexpr uint64_t kInterfaceNumber = 2;
constexpr const char* kModuleSymbol = "goss_messenger_module";

}  // namespace goss::transport

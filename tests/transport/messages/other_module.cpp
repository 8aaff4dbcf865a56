// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// A module as another version of the library would bring it.
#include "transport/module.h"

extern "C"
    [[gnu::visibility("default")]] const goss::transport::MessengerModule goss_messenger_module = {
        GOSS_VERSION_CODE + 1, goss::transport::kInterfaceNumber, nullptr};

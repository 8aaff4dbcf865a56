// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// libgossamer_ucx.so: loaded by transport/registry.cpp.
#include "transport/module.h"

#include "transport/ucx/ucx_messenger.h"

extern "C" [[gnu::visibility("default")]] const goss::transport::MessengerModule
    goss_messenger_module = {GOSS_VERSION_CODE, goss::transport::kInterfaceNumber,
                             goss::ucx::UcxMessenger::create};

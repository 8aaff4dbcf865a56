// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// What this host calls itself, for messages and file names. Any thread.
#pragma once

#include <string>

namespace goss {

std::string host_name();  // "?" when the system does not say

}  // namespace goss

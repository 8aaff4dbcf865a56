// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The log of a precision controller: lines of JSON that hold every decision and all that it rests
// on, and the check that the decisions follow. Numbers are written with as many digits as bring
// back the same bits, without regard to the locale.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "adaptive/precision_controller.h"
#include "base/result.h"

namespace goss::adaptive {

// Each ends in a newline.
std::string log_header(const gossPrecisionConfig_t& config);
std::string log_line(const PrecisionController& controller);

// Decides again and compares character by character; the number of lines that agree.
Result<uint64_t> replay(std::string_view log);

}  // namespace goss::adaptive

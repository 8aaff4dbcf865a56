// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// CodecWish: how somebody asked for something to be compressed, by a rule or for one call.
#pragma once

#include <cstdint>

#include "quant/operations.h"

namespace goss::engine {

struct CodecWish {
  enum class What : uint8_t { kNone, kCodec, kError };
  enum class Route : uint8_t { kAuto, kOneShot, kDirect, kRing };

  What what = What::kNone;
  quant::Codec reduce = quant::Codec::kInt8;  // of contributions, and of what is only moved
  quant::Codec gather = quant::Codec::kInt8;  // of results
  double error = 0;                           // kError: see codec_within()
  quant::Rounding rounding = quant::Rounding::kNearest;
  quant::MxScale mx_scale = quant::MxScale::kUp;
  Route route = Route::kAuto;
  bool fp64 = false;  // doubles may be rounded to fp32 and compressed
};

}  // namespace goss::engine

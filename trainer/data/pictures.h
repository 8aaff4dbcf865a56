// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// One generated picture each. `random` is the sample's own; `pixels` has the size of the picture.
#pragma once

#include <cstdint>
#include <span>

#include "data/random.h"

namespace goss::train {

struct Subject {
  uint32_t label = 0;
  uint32_t classes = 0;
  double difficulty = 0;  // 0 to 1: scales every distortion
};

void paint_glyph(const Subject& subject, Random& random, std::span<uint8_t> pixels);
void paint_texture(const Subject& subject, Random& random, std::span<uint8_t> pixels);

}  // namespace goss::train

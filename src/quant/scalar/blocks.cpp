// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The codecs of blocks: integers, fp8 and the MX formats. Their arithmetic is in elements.h.
#include "quant/kernels.h"
#include "quant/scalar/tile.h"

namespace goss::quant::scalar {

namespace {

template <Scale kScale, class Element>
const TileKernels* kernels_of(BlockFormat<kScale, Element>) {
  return &BlockCodec<BlockFormat<kScale, Element>>::kKernels;
}
template <class OtherFormat>
const TileKernels* kernels_of(OtherFormat) {
  return nullptr;
}

}  // namespace

const TileKernels* block_kernels(Codec codec) {
  return visit_format(codec, [](auto format) { return kernels_of(format); });
}

}  // namespace goss::quant::scalar

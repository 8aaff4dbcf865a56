// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// IDX files, the format of MNIST, Fashion-MNIST and EMNIST; plain or gzip, told apart by content.
// Strict: magic numbers, sizes, truncation and bytes behind the end are checked before anything of
// the size they claim is allocated.
#pragma once

#include <string>

#include "data/dataset.h"

namespace goss::train {

// Grey images of one size (magic 0x00000803), or colour images as count x channels x rows x columns
// (0x00000804, an extension that this project writes), with their labels (0x00000801). `classes` is
// one more than the largest label. `images` and `labels` are paths.
Dataset read_idx(const std::string& images, const std::string& labels);

// Bytes of an IDX file of one dimension.
std::vector<uint8_t> read_idx_bytes(const std::string& path);

// Writes what read_idx reads, not compressed; a file appears complete or not at all.
void write_idx(const Dataset& data, const std::string& images, const std::string& labels);
void write_idx_bytes(std::span<const uint8_t> bytes, const std::string& path);

}  // namespace goss::train

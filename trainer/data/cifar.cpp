// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "data/cifar.h"

#include "data/input_file.h"

namespace goss::train {

namespace {

constexpr uint32_t kCoarseClasses = 20;

void check_label(uint8_t label, uint32_t classes, const std::string& path, size_t record) {
  if (label >= classes) {
    throw Failure(path + ": record " + std::to_string(record) + " has label " +
                  std::to_string(label) + " of " + std::to_string(classes) +
                  " classes: is it the binary version of CIFAR?");
  }
}

}  // namespace

Dataset read_cifar(const std::vector<std::string>& paths, uint32_t classes) {
  Dataset data;
  data.shape = {3, 32, 32};
  data.classes = classes;
  const size_t labels = classes == 100 ? 2 : 1;
  const size_t record_bytes = labels + data.shape.size();
  for (const std::string& path : paths) {
    InputFile file(path);
    for (size_t record = 0; record == 0 || !file.at_end(); ++record) {
      const std::vector<uint8_t> bytes = file.bytes(record_bytes, "a record");
      if (labels == 2) check_label(bytes[0], kCoarseClasses, path, record);
      check_label(bytes[labels - 1], classes, path, record);
      data.labels.push_back(bytes[labels - 1]);
      data.pixels.insert(data.pixels.end(), bytes.begin() + static_cast<ptrdiff_t>(labels),
                         bytes.end());
    }
  }
  return data;
}

}  // namespace goss::train

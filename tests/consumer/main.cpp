// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include <gossamer/gossamer.h>

#include <iostream>
#include <vector>

int main() {
  gossComm_t comm = nullptr;
  if (gossCommInitAll(&comm, 1, nullptr) != gossSuccess) return 1;
  std::vector<double> x(1000, 0.5);
  const gossResult_t result =
      gossAllReduce(x.data(), x.data(), x.size(), gossDouble, gossAvg, comm, nullptr);
  if (result != gossSuccess || gossCommDestroy(comm) != gossSuccess) {
    std::cerr << gossGetLastError(nullptr) << '\n';
    return 1;
  }
  std::cout << "C++: " << x.back() << '\n';
}

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/host.h"

#include <unistd.h>

namespace goss {

std::string host_name() {
  char name[256] = {};  // a name that does not fit is cut, without a zero at its end
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "?";
}

}  // namespace goss

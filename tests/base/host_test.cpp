// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/host.h"

#include <gtest/gtest.h>
#include <sys/utsname.h>

namespace goss {
namespace {

TEST(HostName, IsTheSystemsNodeName) {
  utsname system{};
  ASSERT_EQ(::uname(&system), 0);
  EXPECT_EQ(host_name(), system.nodename);
}

}  // namespace
}  // namespace goss

// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Linked into a test program, puts its ranks on hosts of different sizes, in no order.
#include "support/hosts.h"

namespace {
const goss::test::HostsOfThreads hosts({0, 1, 1, 0, 2});
}

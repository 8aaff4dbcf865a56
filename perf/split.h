// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// NCCL_TESTS_SPLIT and NCCL_TESTS_SPLIT_MASK: the processes of a job form groups, each of which
// runs the same collective at the same time. The group of a process is computed from its number, as
// in nccl-tests; all ranks of one process are in one group.
#pragma once

#include <string>

namespace goss::perf {

struct Split {
  enum class Op { kAnd, kOr, kMod, kDiv };
  Op op = Op::kAnd;
  int value = 0;  // not negative; not 0 for kMod and kDiv
};

// "AND 0x7", "&7", "OR 0b11", "|3", "MOD 8", "%8", "DIV 8", "/8". Throws std::invalid_argument that
// says what is wrong with the text.
Split parse_split(const std::string& text);
// The hexadecimal value of an AND, with or without 0x.
Split parse_split_mask(const std::string& text);

// Number of the group of a process; ranks of equal number work together.
int color(const Split& split, int process);

// "process MOD 8".
std::string describe(const Split& split);

}  // namespace goss::perf

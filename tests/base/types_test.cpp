// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "base/types.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace goss {
namespace {

TEST(Types, HaveTheSizesOfTheirNames) {
  EXPECT_EQ(type_size(gossInt8), 1u);
  EXPECT_EQ(type_size(gossUint8), 1u);
  EXPECT_EQ(type_size(gossInt32), 4u);
  EXPECT_EQ(type_size(gossUint32), 4u);
  EXPECT_EQ(type_size(gossInt64), 8u);
  EXPECT_EQ(type_size(gossUint64), 8u);
  EXPECT_EQ(type_size(gossFloat16), 2u);
  EXPECT_EQ(type_size(gossFloat32), 4u);
  EXPECT_EQ(type_size(gossFloat64), 8u);
  EXPECT_EQ(type_size(gossBfloat16), 2u);
  EXPECT_EQ(type_size(gossFloat8e4m3), 1u);
  EXPECT_EQ(type_size(gossFloat8e5m2), 1u);
}

TEST(Types, EachHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int type = 0; type < gossNumTypes; ++type) {
    names.insert(type_name(static_cast<DataType>(type)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(gossNumTypes));
  EXPECT_STREQ(type_name(gossFloat), "float");
  EXPECT_STREQ(type_name(gossBfloat16), "bfloat16");
}

TEST(Types, OperationsHaveTheirNames) {
  EXPECT_STREQ(op_name(gossSum), "sum");
  EXPECT_STREQ(op_name(gossProd), "prod");
  EXPECT_STREQ(op_name(gossMax), "max");
  EXPECT_STREQ(op_name(gossMin), "min");
  EXPECT_STREQ(op_name(gossAvg), "avg");
}

TEST(Types, NumbersOutsideTheEnumerationsAreInvalid) {
  EXPECT_TRUE(valid_type(gossInt8));
  EXPECT_TRUE(valid_type(gossFloat8e5m2));
  EXPECT_FALSE(valid_type(-1));
  EXPECT_FALSE(valid_type(gossNumTypes));
  EXPECT_TRUE(valid_op(gossSum));
  EXPECT_TRUE(valid_op(gossAvg));
  EXPECT_FALSE(valid_op(-1));
  EXPECT_FALSE(valid_op(gossNumOps));
}

TEST(AlignUp, GivesTheNextMultiple) {
  EXPECT_EQ(align_up(0, 64), 0u);
  EXPECT_EQ(align_up(1, 64), 64u);
  EXPECT_EQ(align_up(64, 64), 64u);
  EXPECT_EQ(align_up(65, 64), 128u);
  EXPECT_EQ(align_up(10, 3), 12u);
}

TEST(CheckedMultiply, TellsWhenTheProductDoesNotFit) {
  size_t product = 0;
  EXPECT_TRUE(checked_multiply(3, 7, &product));
  EXPECT_EQ(product, 21u);
  EXPECT_TRUE(checked_multiply(SIZE_MAX, 1, &product));
  EXPECT_EQ(product, SIZE_MAX);
  EXPECT_TRUE(checked_multiply(SIZE_MAX, 0, &product));
  EXPECT_FALSE(checked_multiply(SIZE_MAX / 4 + 1, 4, &product));
  EXPECT_FALSE(checked_multiply(SIZE_MAX, SIZE_MAX, &product));
}

}  // namespace
}  // namespace goss

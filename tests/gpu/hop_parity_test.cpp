// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The fused hop of src/quant/gpu against that of the scalar specification: every codec and pairs of
// them, numbers of ranks and places among them, ways to combine, with and without bytes and numbers
// as results. In the emulator or on a device, as codec_parity_test.cpp.
#include "base/small_float.h"
#include "base/status.h"
#include "device_memory.h"
#include "quant/gpu/operations.h"
#include "quant/quant_cases.h"
#include "support/test_scale.h"

namespace goss::quant {
namespace {

using gpu_tests::Bytes;
using gpu_tests::DeviceMemory;

enum class Results { kBytes, kBytesAndNumbers, kInPlace, kNumbers };

struct Case {
  Codec peer_codec;
  Codec codec;
  size_t nranks;
  size_t rank;
  DataType type = gossFloat32;
  size_t count = 2 * kTile + 500;
  Combine combine = Combine::kSum;
  Rounding rounding = Rounding::kNearest;
  Results results = Results::kBytesAndNumbers;
  float own_factor = 1;
  float factor = 1;
  size_t offset = 0;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << codec_info(c.peer_codec).name << " to " << codec_info(c.codec).name << ", rank " << c.rank
       << " of " << c.nranks << ", " << c.count << " of " << type_name(c.type) << ", combine "
       << static_cast<int>(c.combine) << ", rounding " << static_cast<int>(c.rounding)
       << ", results " << static_cast<int>(c.results) << ", factors " << c.own_factor << " and "
       << c.factor << ", offset " << c.offset;
}

class GpuHop : public testing::TestWithParam<Codec> {
 protected:
  void SetUp() override {
    const std::string why_not = gpu_tests::why_no_device();
    if (!why_not.empty()) GTEST_SKIP() << why_not;
  }

  // Numbers of the type, from bits of the wire of a cast.
  Bytes some_numbers(const Case& c) {
    const Kind& kind = kinds_[random_() % kinds_.size()];
    const Numbers numbers = numbers_of(kind, c.count, random_);
    Bytes bytes(c.count * type_size(c.type));
    for (size_t i = 0; i < c.count; ++i) {
      const uint16_t code =
          c.type == gossFloat16 ? Float16::encode(numbers[i]) : Bfloat16::encode(numbers[i]);
      const void* from = c.type == gossFloat32 ? static_cast<const void*>(&numbers[i]) : &code;
      std::memcpy(bytes.data() + i * type_size(c.type), from, type_size(c.type));
    }
    return bytes;
  }
  Bytes some_wire(const Case& c) {
    const Numbers numbers = numbers_of(kinds_[random_() % kinds_.size()], c.count, random_);
    Bytes bytes(encoded_bytes(c.peer_codec, c.count));
    encode(scalar_isa(), {.how = {.codec = c.peer_codec},
                          .src = numbers.data(),
                          .type = gossFloat32,
                          .count = c.count,
                          .dst = bytes.data()});
    return bytes;
  }

  void check(const Case& c) {
    SCOPED_TRACE(testing::PrintToString(c));
    std::vector<Bytes> wires(c.nranks);
    std::vector<DeviceMemory> copies;
    std::vector<const uint8_t*> peers(c.nranks), device_peers(c.nranks);
    for (size_t r = 0; r < c.nranks; ++r) {
      if (r == c.rank) continue;
      wires[r] = some_wire(c);
      copies.emplace_back(wires[r], c.offset + r % 2 * 16);
      peers[r] = wires[r].data();
      device_peers[r] = copies.back().data();
    }
    Bytes addresses(c.nranks * sizeof(uint8_t*));
    std::memcpy(addresses.data(), device_peers.data(), addresses.size());
    const DeviceMemory device_addresses(addresses);

    const bool has_bytes = c.results != Results::kNumbers;
    const bool has_numbers = c.results != Results::kBytes;
    const Bytes own = some_numbers(c);
    Bytes encoded(has_bytes ? encoded_bytes(c.codec, c.count) : 0), decoded = own;
    const size_t size = type_size(c.type);
    const DeviceMemory device_own(own, c.offset * size), device_encoded(encoded.size(), c.offset),
        device_decoded(own, c.offset * 2 * size);
    Hop hop = {
        .peer_codec = c.peer_codec,
        .peers = peers.data(),
        .nranks = c.nranks,
        .rank = c.rank,
        .own = c.results == Results::kInPlace ? decoded.data() : own.data(),
        .type = c.type,
        .own_factor = c.own_factor,
        .count = c.count,
        .combine = c.combine,
        .how = {.codec = c.codec, .rounding = c.rounding, .dither = {7, 8, 9}, .factor = c.factor},
        .encoded = has_bytes ? encoded.data() : nullptr,
        .decoded = has_numbers ? decoded.data() : nullptr,
        .first_element = 4096};
    quant::hop(scalar_isa(), hop);

    const DeviceMemory& result = c.results == Results::kInPlace ? device_own : device_decoded;
    hop.peers = reinterpret_cast<const uint8_t* const*>(device_addresses.data());
    hop.own = device_own.data();
    hop.encoded = has_bytes ? device_encoded.data() : nullptr;
    hop.decoded = has_numbers ? result.data() : nullptr;
    const Status status = gpu::hop(hop, {});
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(device_encoded.content(), encoded);
    ASSERT_EQ(result.content(), decoded);
  }

  Random random_{80};
  const std::vector<Kind> kinds_ = all_kinds();
};

TEST_P(GpuHop, EveryPlaceAmongAnyNumberOfRanksGivesTheBitsOfTheSpecification) {
  for (const size_t nranks : {1, 2, 3, 5, 8}) {
    for (size_t rank = 0; rank < nranks; ++rank) {
      check({.peer_codec = GetParam(), .codec = GetParam(), .nranks = nranks, .rank = rank});
      if (HasFatalFailure()) return;
    }
  }
}

TEST_P(GpuHop, EveryTypeCombinationAndResultGivesTheBitsOfTheSpecification) {
  for (const DataType type : {gossFloat32, gossFloat16, gossBfloat16}) {
    for (const Combine combine : {Combine::kSum, Combine::kMin, Combine::kMax}) {
      for (const Results results :
           {Results::kBytes, Results::kBytesAndNumbers, Results::kInPlace, Results::kNumbers}) {
        check({.peer_codec = GetParam(),
               .codec = GetParam(),
               .nranks = 3,
               .rank = static_cast<size_t>(results) % 3,
               .type = type,
               .combine = combine,
               .rounding = combine == Combine::kMin ? Rounding::kStochastic : Rounding::kNearest,
               .results = results,
               .own_factor = combine == Combine::kMax ? 0.3f : 1.0f,
               .factor = combine == Combine::kMin ? -0.25f : 1.0f / 3});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(GpuHop, EndsAndAddressesGiveTheBitsOfTheSpecification) {
  const size_t unit = partition_unit(GetParam());
  for (const size_t count :
       {size_t{1}, size_t{31}, size_t{33}, size_t{257}, kTile + 1, unit - 1, unit + 100}) {
    for (const size_t offset : {0, 1, 2, 4, 8}) {
      check({.peer_codec = GetParam(),
             .codec = GetParam(),
             .nranks = 3,
             .rank = 1,
             .type = offset % 4 == 0 ? gossFloat32 : gossBfloat16,
             .count = count,
             .rounding = Rounding::kStochastic,
             .offset = offset});
      if (HasFatalFailure()) return;
      if (count > 10 * kTile) break;
    }
  }
}

TEST_P(GpuHop, TwoCodecsGiveTheBitsOfTheSpecification) {
  for (const Codec codec : all_codecs()) {
    check({.peer_codec = GetParam(),
           .codec = codec,
           .nranks = 3,
           .rank = 2,
           .rounding = codec < Codec::kFp8E4m3 ? Rounding::kNearest : Rounding::kStochastic});
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GpuHop, testing::ValuesIn(all_codecs()), codec_name);

}  // namespace
}  // namespace goss::quant

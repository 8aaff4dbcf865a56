// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops that all vector kernels share, compiled once per instruction set. An operation says how
// a register of raw bytes enters the accumulators, how two accumulators combine and how the result
// becomes bytes again; the loops carry a few registers over all sources and store them once. Nothing
// here depends on alignment except streaming stores, which start at a 64-byte boundary.
//
//   struct Operation {
//     static constexpr size_t kElementBytes;  // elements do not straddle registers
//     static constexpr size_t kUnroll;        // registers of bytes carried at once
//     using Value = ...;                      // accumulators of one register of bytes
//     void prepare(int divisor);              // once per call, before the others
//     Value load(Raw) const; Value combine(Value, Value) const; Raw finish(Value) const;
//   };
#if defined(GOSS_REDUCE_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_REDUCE_LOOPS_INL_H_
#undef GOSS_REDUCE_LOOPS_INL_H_
#else
#define GOSS_REDUCE_LOOPS_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstring>

#include "reduce/kernels.h"

#ifdef __clang__
#define GOSS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GOSS_UNROLL _Pragma("GCC unroll 16")
#endif

HWY_BEFORE_NAMESPACE();
namespace goss::reduce::HWY_NAMESPACE {
#if !GOSS_SIMD_IS_SCALAR

namespace hn = hwy::HWY_NAMESPACE;

using ByteTag = hn::ScalableTag<uint8_t>;
using Raw = hn::Vec<ByteTag>;
constexpr size_t kRawBytes = hn::MaxLanes(ByteTag());
constexpr size_t kStreamAlignment = 64;

// The first n bytes at p, zeros behind them; 0 < n < kRawBytes. Reads nothing else.
HWY_INLINE Raw load_first(const uint8_t* p, size_t n) {
#if HWY_TARGET == HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(ByteTag(), n), ByteTag(), p);
#else
  HWY_ALIGN uint8_t buffer[kRawBytes] = {};
  std::memcpy(buffer, p, n);
  return hn::Load(ByteTag(), buffer);
#endif
}

HWY_INLINE void store_first(Raw raw, uint8_t* p, size_t n) {
#if HWY_TARGET == HWY_AVX3
  hn::BlendedStore(raw, hn::FirstN(ByteTag(), n), ByteTag(), p);
#else
  HWY_ALIGN uint8_t buffer[kRawBytes];
  hn::Store(raw, ByteTag(), buffer);
  std::memcpy(p, buffer, n);
#endif
}

// The sources: a number known when compiled, whose pointers stay in registers, or any number.
template <size_t kCount>
struct FixedSources {
  const uint8_t* pointer[kCount];
  explicit HWY_INLINE FixedSources(const Arguments& a) {
    GOSS_UNROLL
    for (size_t s = 0; s < kCount; ++s) pointer[s] = static_cast<const uint8_t*>(a.sources[s]);
  }
  static constexpr size_t count() { return kCount; }
  HWY_INLINE const uint8_t* at(size_t s) const { return pointer[s]; }
};

struct AnySources {
  const void* const* pointers;
  size_t nsources;
  explicit HWY_INLINE AnySources(const Arguments& a)
      : pointers(a.sources), nsources(a.nsources) {}
  HWY_INLINE size_t count() const { return nsources; }
  HWY_INLINE const uint8_t* at(size_t s) const { return static_cast<const uint8_t*>(pointers[s]); }
};

// The destinations: one in the cache, or the general case, whose branches are always predicted.
struct PlainSink {
  uint8_t* dst;
  HWY_INLINE void write(Raw raw, size_t at) const { hn::StoreU(raw, ByteTag(), dst + at); }
  HWY_INLINE void write_first(Raw raw, size_t at, size_t n) const { store_first(raw, dst + at, n); }
};

struct AnySink {
  uint8_t* dst;
  uint8_t* dst2;  // or nullptr
  bool stream;    // stored to boundaries of kRawBytes only
  bool stream2;

  HWY_INLINE void write(Raw raw, size_t at) const {
    if (stream) {
      hn::Stream(raw, ByteTag(), dst + at);
    } else {
      hn::StoreU(raw, ByteTag(), dst + at);
    }
    if (dst2 == nullptr) return;
    if (stream2) {
      hn::Stream(raw, ByteTag(), dst2 + at);
    } else {
      hn::StoreU(raw, ByteTag(), dst2 + at);
    }
  }
  HWY_INLINE void write_first(Raw raw, size_t at, size_t n) const {
    store_first(raw, dst + at, n);
    if (dst2 != nullptr) store_first(raw, dst2 + at, n);
  }
};

template <size_t kRegisters, class Operation, class Sources, class Sink>
HWY_INLINE void reduce_registers(const Operation& op, const Sources& sources, const Sink& sink,
                                 size_t at) {
  constexpr ByteTag d;
  typename Operation::Value value[kRegisters];
  GOSS_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) {
    value[r] = op.load(hn::LoadU(d, sources.at(0) + at + r * kRawBytes));
  }
  for (size_t s = 1; s < sources.count(); ++s) {
    const uint8_t* const source = sources.at(s) + at;
    GOSS_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      value[r] = op.combine(value[r], op.load(hn::LoadU(d, source + r * kRawBytes)));
    }
  }
  GOSS_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) sink.write(op.finish(value[r]), at + r * kRawBytes);
}

// n < kRawBytes; results of the zeros behind them are dropped.
template <class Operation, class Sources, class Sink>
HWY_INLINE void reduce_first(const Operation& op, const Sources& sources, const Sink& sink,
                             size_t at, size_t n) {
  typename Operation::Value value = op.load(load_first(sources.at(0) + at, n));
  for (size_t s = 1; s < sources.count(); ++s) {
    value = op.combine(value, op.load(load_first(sources.at(s) + at, n)));
  }
  sink.write_first(op.finish(value), at, n);
}

template <class Operation, class Sources, class Sink>
HWY_INLINE void reduce_range(const Operation& op, const Sources& sources, const Sink& sink,
                             size_t at, size_t end) {
  constexpr size_t kStep = Operation::kUnroll * kRawBytes;
  for (; end - at >= kStep; at += kStep) {
    reduce_registers<Operation::kUnroll>(op, sources, sink, at);
  }
  if constexpr (Operation::kUnroll > 1) {
    for (; end - at >= kRawBytes; at += kRawBytes) reduce_registers<1>(op, sources, sink, at);
  }
  if (at < end) reduce_first(op, sources, sink, at, end - at);
}

HWY_INLINE size_t bytes_to_boundary(const void* p) {
  return (0 - reinterpret_cast<uintptr_t>(p)) % kStreamAlignment;
}

// Two destinations and streaming stores. A destination whose elements are themselves unaligned, or
// that lies otherwise than the first one that streams, cannot stream; it is stored in the cache.
template <class Operation>
HWY_NOINLINE void reduce_any_sink(const Arguments& a) {
  Operation op;
  op.prepare(a.divisor);
  const AnySources sources(a);
  const size_t bytes = a.count * Operation::kElementBytes;
  AnySink sink{static_cast<uint8_t*>(a.dst), static_cast<uint8_t*>(a.dst2),
               a.store == Store::kStream && bytes_to_boundary(a.dst) % Operation::kElementBytes == 0,
               a.dst2 != nullptr && a.store2 == Store::kStream &&
                   bytes_to_boundary(a.dst2) % Operation::kElementBytes == 0};
  if (!sink.stream && !sink.stream2) {
    reduce_range(op, sources, sink, 0, bytes);
    return;
  }
  size_t head = bytes_to_boundary(sink.stream ? sink.dst : sink.dst2);
  if (sink.stream && sink.stream2) sink.stream2 = bytes_to_boundary(sink.dst2) == head;
  if (head > bytes) head = bytes;
  reduce_range(op, sources, AnySink{sink.dst, sink.dst2, false, false}, 0, head);
  reduce_range(op, sources, sink, head, bytes);
  hwy::FlushStream();
}

template <class Operation>
void reduce(const Arguments& a) {
  if (a.dst2 != nullptr || a.store == Store::kStream) {
    reduce_any_sink<Operation>(a);
    return;
  }
  Operation op;
  op.prepare(a.divisor);
  const PlainSink sink{static_cast<uint8_t*>(a.dst)};
  const size_t bytes = a.count * Operation::kElementBytes;
  if (a.nsources == 2) {
    reduce_range(op, FixedSources<2>(a), sink, 0, bytes);
  } else {
    reduce_range(op, AnySources(a), sink, 0, bytes);
  }
}

// Of a single source nothing is computed: its bits are kept.
struct Identity {
  static constexpr size_t kElementBytes = 1;
  static constexpr size_t kUnroll = 4;
  using Value = Raw;
  HWY_INLINE void prepare(int) {}
  HWY_INLINE Value load(Raw raw) const { return raw; }
  HWY_INLINE Value combine(Value a, Value) const { return a; }
  HWY_INLINE Raw finish(Value value) const { return value; }
};

template <size_t kElementBytes>
HWY_NOINLINE void copy_single(const Arguments& a) {
  const size_t bytes = a.count * kElementBytes;
  if (a.dst2 == nullptr) {
    if (a.dst != a.sources[0]) copy(a.dst, a.sources[0], bytes, a.store);
    return;
  }
  Arguments raw = a;
  raw.count = bytes;
  reduce_any_sink<Identity>(raw);
}

template <class Operation>
void reduce_or_copy(const Arguments& a) {
  if (HWY_UNLIKELY(a.nsources == 1)) {
    copy_single<Operation::kElementBytes>(a);
  } else {
    reduce<Operation>(a);
  }
}

#endif  // !GOSS_SIMD_IS_SCALAR
}  // namespace goss::reduce::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard

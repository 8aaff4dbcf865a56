// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The loops that all vector kernels share, compiled once per instruction set. An operation says how
// a register of raw bytes enters the accumulators, how two accumulators combine and how the result
// becomes bytes again; the loops carry a few registers over all sources and store them once.
// Nothing here depends on alignment except streaming stores, which start at a 64-byte boundary.
//
//   struct Operation {
//     static constexpr size_t kElementBytes;  // elements do not straddle registers
//     static constexpr size_t kBlock;   // registers of bytes per visit to a source
//     static constexpr size_t kUnroll;  // the same in loops for a known number of sources; 0: none
//     using Value = ...;                      // accumulators of one register of bytes
//     void prepare(int divisor);              // once per call, before the others
//     Value load(Raw) const; Value combine(Value, Value) const; Raw finish(Value) const;
//   };
//
// Where NaNs cost much, an operation may have a quick form for data without any, in loops for a
// known number of sources: made anew for every few registers, it notes what it cannot do, and these
// are then computed again in full.
//
//     struct Quick {
//       explicit Quick(const Operation&);
//       ...                                   // as above, not const
//       bool failed() const;
//     };
#if defined(GOSS_REDUCE_LOOPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GOSS_REDUCE_LOOPS_INL_H_
#undef GOSS_REDUCE_LOOPS_INL_H_
#else
#define GOSS_REDUCE_LOOPS_INL_H_
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstring>
#include <type_traits>

#include "reduce/kernels.h"

#if GOSS_SIMD_SANITIZED
#define GOSS_UNROLL
#elif defined(__clang__)
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

// In the loop for any number of sources: the processor's own prefetching falls behind when many
// streams meet much computing. Measured with 8 sources of 64 MiB: bf16 sum 24 -> 21 ms, fp16 sum
// 28 -> 23 ms, fp32 as before; 512 and 2048 bytes gained less.
constexpr size_t kPrefetchAhead = 1024;

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

// The destinations: one in the cache, or the general case, whose branches are always predicted.
struct PlainSink {
  static constexpr size_t kMaxUnroll = 4;
  uint8_t* dst;

  template <size_t kRegisters>
  HWY_INLINE void write(const Raw (&raw)[kRegisters], size_t at) const {
    GOSS_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) hn::StoreU(raw[r], ByteTag(), dst + at + r * kRawBytes);
  }
  HWY_INLINE void write_first(Raw raw, size_t at, size_t n) const { store_first(raw, dst + at, n); }
};

struct AnySink {
  static constexpr size_t kMaxUnroll = 2;  // memory bounds these loops, not instructions
  uint8_t* dst;
  uint8_t* dst2;  // or nullptr
  bool stream;    // stored to boundaries of kRawBytes only
  bool stream2;

  template <size_t kRegisters>
  static HWY_INLINE void write_one(const Raw (&raw)[kRegisters], uint8_t* to, bool streaming) {
    if (streaming) {
      GOSS_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) hn::Stream(raw[r], ByteTag(), to + r * kRawBytes);
    } else {
      GOSS_UNROLL
      for (size_t r = 0; r < kRegisters; ++r) hn::StoreU(raw[r], ByteTag(), to + r * kRawBytes);
    }
  }
  template <size_t kRegisters>
  HWY_INLINE void write(const Raw (&raw)[kRegisters], size_t at) const {
    write_one(raw, dst + at, stream);
    if (dst2 != nullptr) write_one(raw, dst2 + at, stream2);
  }
  HWY_INLINE void write_first(Raw raw, size_t at, size_t n) const {
    store_first(raw, dst + at, n);
    if (dst2 != nullptr) store_first(raw, dst2 + at, n);
  }
};

// What is left to do, or all of it: from byte `at` to byte `end`.
struct Range {
  size_t at;
  size_t end;
};

HWY_INLINE const uint8_t* source_at(const Arguments& a, size_t s, size_t at) {
  return static_cast<const uint8_t*>(a.sources[s]) + at;
}

// A few registers are carried over all sources, one source after the other.
template <size_t kRegisters, class Operation, class Sink>
HWY_INLINE void reduce_registers(const Operation& op, const Arguments& a, const Sink& sink,
                                 size_t at, size_t ahead) {
  constexpr ByteTag d;
  typename Operation::Value value[kRegisters];
  const uint8_t* source = source_at(a, 0, at);
  GOSS_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) value[r] = op.load(hn::LoadU(d, source + r * kRawBytes));
  for (size_t s = 1; s < a.nsources; ++s) {
    source = source_at(a, s, at);
    GOSS_UNROLL
    for (size_t r = 0; r < kRegisters; ++r) {
      hwy::Prefetch(source + r * kRawBytes + ahead);
      value[r] = op.combine(value[r], op.load(hn::LoadU(d, source + r * kRawBytes)));
    }
  }
  Raw raw[kRegisters];
  GOSS_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) raw[r] = op.finish(value[r]);
  sink.write(raw, at);
}

template <class Operation, class = void>
constexpr bool kHasQuick = false;
template <class Operation>
constexpr bool kHasQuick<Operation, std::void_t<typename Operation::Quick>> = true;

template <size_t kSources, size_t kRegisters, class Operation>
HWY_INLINE void compute_step(Operation& op, const uint8_t* const (&source)[kSources], size_t at,
                             Raw (&raw)[kRegisters]) {
  GOSS_UNROLL
  for (size_t r = 0; r < kRegisters; ++r) {
    const size_t here = at + r * kRawBytes;
    auto value = op.load(hn::LoadU(ByteTag(), source[0] + here));
    GOSS_UNROLL
    for (size_t s = 1; s < kSources; ++s) {
      value = op.combine(value, op.load(hn::LoadU(ByteTag(), source[s] + here)));
    }
    raw[r] = op.finish(value);
  }
}

template <size_t kRegisters, class Operation, class Sink>
HWY_NOINLINE void reduce_again(const Operation& op, const Arguments& a, const Sink& sink,
                               size_t at) {
  reduce_registers<kRegisters>(op, a, sink, at, 0);
}

// A number of sources known when compiled: the pointers stay in registers, and the loads of all
// sources alternate, which the memory system likes best. Whole steps only; the rest is left.
template <size_t kSources, class Operation, class Sink>
HWY_INLINE void reduce_steps(const Operation& op, const Arguments& a, const Sink& sink,
                             Range& range) {
  constexpr size_t kRegisters = HWY_MIN(Operation::kUnroll, Sink::kMaxUnroll);
  constexpr size_t kStep = kRegisters * kRawBytes;
  const uint8_t* source[kSources];
  GOSS_UNROLL
  for (size_t s = 0; s < kSources; ++s) source[s] = source_at(a, s, 0);
  size_t at = range.at;
  for (; range.end - at >= kStep; at += kStep) {
    Raw raw[kRegisters];
    if constexpr (kHasQuick<Operation>) {
      typename Operation::Quick quick(op);
      compute_step(quick, source, at, raw);
      if (HWY_UNLIKELY(quick.failed())) {
        reduce_again<kRegisters>(op, a, sink, at);
        continue;
      }
    } else {
      compute_step(op, source, at, raw);
    }
    sink.write(raw, at);
  }
  range.at = at;
}

template <class Operation, class Sink>
HWY_INLINE void reduce_range(const Operation& op, const Arguments& a, const Sink& sink,
                             Range range) {
  constexpr size_t kStep = Operation::kBlock * kRawBytes;
  size_t at = range.at;
  for (; range.end - at >= kStep; at += kStep) {
    // Never beyond the end: the lines there may be another rank's.
    const bool far = range.end - at >= kStep + kPrefetchAhead;
    reduce_registers<Operation::kBlock>(op, a, sink, at, far ? kPrefetchAhead : 0);
  }
  if constexpr (Operation::kBlock > 1) {
    for (; range.end - at >= kRawBytes; at += kRawBytes) reduce_registers<1>(op, a, sink, at, 0);
  }
  const size_t rest = range.end - at;  // the zeros behind it are computed with, and dropped
  if (rest == 0) return;
  typename Operation::Value value = op.load(load_first(source_at(a, 0, at), rest));
  for (size_t s = 1; s < a.nsources; ++s) {
    value = op.combine(value, op.load(load_first(source_at(a, s, at), rest)));
  }
  sink.write_first(op.finish(value), at, rest);
}

// Two and four sources have loops of their own; measured, more gain nothing from one.
template <class Operation, class Sink>
HWY_INLINE void reduce_all(const Operation& op, const Arguments& a, const Sink& sink, Range range) {
#if HWY_TARGET != HWY_SSE4
  if constexpr (Operation::kUnroll != 0) {
    if (range.end - range.at >= Operation::kUnroll * kRawBytes) {
      if (a.nsources == 2) {
        reduce_steps<2>(op, a, sink, range);
      } else if (a.nsources == 4) {
        reduce_steps<4>(op, a, sink, range);
      }
    }
  }
#endif
  reduce_range(op, a, sink, range);
}

HWY_INLINE size_t bytes_to_boundary(const void* p) {
  return (0 - reinterpret_cast<uintptr_t>(p)) % kStreamAlignment;
}

template <class Operation>
HWY_NOINLINE void reduce_head(const Operation& op, const Arguments& a, const AnySink& sink,
                              Range range) {
  reduce_range(op, a, sink, range);
}

// Two destinations and streaming stores. A destination whose elements are themselves unaligned, or
// that lies otherwise than the first one that streams, cannot stream; it is stored in the cache.
template <class Operation>
HWY_NOINLINE void reduce_any_sink(const Arguments& a) {
  Operation op;
  op.prepare(a.divisor);
  const size_t bytes = a.count * Operation::kElementBytes;
  AnySink sink{
      static_cast<uint8_t*>(a.dst), static_cast<uint8_t*>(a.dst2),
      a.store == Store::kStream && bytes_to_boundary(a.dst) % Operation::kElementBytes == 0,
      a.dst2 != nullptr && a.store2 == Store::kStream &&
          bytes_to_boundary(a.dst2) % Operation::kElementBytes == 0};
  if (!sink.stream && !sink.stream2) {
    reduce_all(op, a, sink, {0, bytes});
    return;
  }
  size_t head = bytes_to_boundary(sink.stream ? sink.dst : sink.dst2);
  if (sink.stream && sink.stream2) sink.stream2 = bytes_to_boundary(sink.dst2) == head;
  if (head > bytes) head = bytes;
  if (head != 0) reduce_head(op, a, AnySink{sink.dst, sink.dst2, false, false}, {0, head});
  reduce_all(op, a, sink, {head, bytes});
  hwy::FlushStream();
}

template <class Operation>
void reduce(const Arguments& a) {
  if constexpr (!GOSS_SIMD_SANITIZED) {
    if (a.dst2 == nullptr && a.store == Store::kCached) {
      Operation op;
      op.prepare(a.divisor);
      const PlainSink sink{static_cast<uint8_t*>(a.dst)};
      reduce_all(op, a, sink, {0, a.count * Operation::kElementBytes});
      return;
    }
  }
  reduce_any_sink<Operation>(a);
}

// Of a single source nothing is computed: its bits are kept.
struct Identity {
  static constexpr size_t kElementBytes = 1;
  static constexpr size_t kBlock = 4;
  static constexpr size_t kUnroll = 0;
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

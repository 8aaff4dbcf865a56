// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Kernels on the CPU: what device/gpu_runtime.h maps to in the tests (-DGOSS_GPU_EMULATOR). The
// threads of a block are fibers of one thread of the CPU, which change places where a device's
// threads wait for each other: at exchanges of a team and at barriers. Blocks run one after the
// other. Under AddressSanitizer every access of a kernel is checked, those to GPU_SHARED too.
//
// What a device may leave undefined is an error here (gpu_emulator::Misuse, thrown by gpu_launch):
//   - threads of a team that call different team functions, or from different lines;
//   - threads of a block that wait at different barriers;
//   - waiting for a thread that has left the kernel.
// Order decides who runs first; a kernel that lacks a barrier gives different results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>

#include "base/small_float.h"

namespace gpu_emulator {

class Misuse : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

enum class Order { kAscending, kDescending };
void set_order(Order order);

// Runs `kernel` for every thread.
void run(unsigned blocks, unsigned threads, const std::function<void()>& kernel);

// Of the thread that runs; only inside of kernels.
unsigned thread();
unsigned block();

// What a thread gives to its team in exchange for the values of all.
enum class Meeting { kExchange, kValueOf, kBallot, kBarrier };
const uint64_t* meet_team(Meeting meeting, unsigned argument, int line, uint64_t value);
void meet_block(int line);

}  // namespace gpu_emulator

// ---- for kernels --------------------------------------------------------------------------------

#define GPU_DEVICE
#define GPU_KERNEL(max_threads)
#define GPU_SHARED static  // of plain type
#define GPU_NO_UNROLL
#define GPU_UNROLL(times)

inline unsigned gpu_thread() { return gpu_emulator::thread(); }
inline unsigned gpu_block() { return gpu_emulator::block(); }
inline void gpu_barrier(int line = __builtin_LINE()) { gpu_emulator::meet_block(line); }

template <unsigned kMask, class T>
T team_exchange(T value, int line = __builtin_LINE()) {
  static_assert(sizeof(T) == 4 && kMask < 32);
  const auto* all = gpu_emulator::meet_team(gpu_emulator::Meeting::kExchange, kMask, line,
                                            std::bit_cast<uint32_t>(value));
  return std::bit_cast<T>(static_cast<uint32_t>(all[gpu_thread() % 32 ^ kMask]));
}
inline unsigned team_value_of(unsigned value, unsigned from, int line = __builtin_LINE()) {
  const auto* all = gpu_emulator::meet_team(gpu_emulator::Meeting::kValueOf, 0, line, value);
  if (from >= 32) throw gpu_emulator::Misuse("team_value_of: there is no such thread in a team");
  return static_cast<unsigned>(all[from]);
}
inline unsigned team_ballot(bool says, int line = __builtin_LINE()) {
  const auto* all = gpu_emulator::meet_team(gpu_emulator::Meeting::kBallot, 0, line, says);
  unsigned bits = 0;
  for (unsigned i = 0; i < 32; ++i) bits |= static_cast<unsigned>(all[i]) << i;
  return bits;
}

inline float gpu_widen_fp16(uint16_t bits) { return goss::Float16::decode(bits); }
inline uint16_t gpu_narrow_fp16(float value) { return goss::Float16::encode(value); }

// ---- the runtime: memory of the CPU, calls that are complete when they return -------------------

enum gpuError_t { gpuSuccess, gpuErrorMemory };
enum gpuMemcpyKind { gpuMemcpyDefault };
using gpuStream_t = void*;

const char* gpuGetErrorString(gpuError_t error);
gpuError_t gpuGetDeviceCount(int* count);
gpuError_t gpuMalloc(void** memory, size_t bytes);
gpuError_t gpuFree(void* memory);
gpuError_t gpuMemcpy(void* to, const void* from, size_t bytes, gpuMemcpyKind kind);
gpuError_t gpuStreamSynchronize(gpuStream_t stream);

template <class Arguments>
gpuError_t gpu_launch(void (*kernel)(Arguments), unsigned blocks, unsigned threads, gpuStream_t,
                      Arguments arguments) {
  gpu_emulator::run(blocks, threads, [&] { kernel(arguments); });
  return gpuSuccess;
}

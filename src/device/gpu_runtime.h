// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Neutral names for what kernels and their callers use of a GPU. Exactly one of these is defined:
//   GOSS_GPU_HIP       AMD: ROCm's runtime for hosts, clang's own functions for devices
//   GOSS_GPU_CUDA      NVIDIA
//   GOSS_GPU_EMULATOR  the tests' thread emulator (tests/support/gpu_emulator.h)
// Without any there is nothing here.
//
// A team is 32 neighbouring threads of a block: a warp of NVIDIA, a wave or half of one of AMD. The
// team_* functions are for whole teams: all 32 threads call them together, with the same arguments
// where these are not per-thread values. Only plain vector types and integers pass between threads.
//
// Any failure of gpuGetDeviceCount means "no device": the codes differ between vendors.
#pragma once

#if defined(GOSS_GPU_EMULATOR)

#include <gpu_emulator.h>

#elif defined(GOSS_GPU_CUDA)

#include <cuda_runtime_api.h>
#define GPU_RUNTIME(name) cuda##name

#elif defined(GOSS_GPU_HIP)

#if __has_include(<hip/hip_runtime_api.h>)
#include <hip/hip_runtime_api.h>
#else
// As much as the kernels need to be compiled, not linked, where ROCm's headers are missing.
#include <cstddef>
struct dim3 {
  constexpr dim3(unsigned x_) : x(x_), y(1), z(1) {}
  unsigned x, y, z;
};
enum hipError_t { hipSuccess };
using hipStream_t = struct ihipStream_t*;
extern "C" {
hipError_t hipLaunchKernel(const void*, dim3, dim3, void**, size_t, hipStream_t);
const char* hipGetErrorString(hipError_t);
}
#endif
#define GPU_RUNTIME(name) hip##name

#endif

#if defined(GPU_RUNTIME)

using gpuError_t = GPU_RUNTIME(Error_t);
using gpuStream_t = GPU_RUNTIME(Stream_t);
#define gpuSuccess GPU_RUNTIME(Success)
#define gpuGetErrorString GPU_RUNTIME(GetErrorString)
#define gpuLaunchKernel GPU_RUNTIME(LaunchKernel)
#define gpuGetDeviceCount GPU_RUNTIME(GetDeviceCount)
#define gpuMalloc GPU_RUNTIME(Malloc)
#define gpuFree GPU_RUNTIME(Free)
#define gpuMemcpy GPU_RUNTIME(Memcpy)
#define gpuMemcpyDefault GPU_RUNTIME(MemcpyDefault)
#define gpuMemcpyAsync GPU_RUNTIME(MemcpyAsync)
#define gpuStreamSynchronize GPU_RUNTIME(StreamSynchronize)
#define gpuEvent_t GPU_RUNTIME(Event_t)
#define gpuEventCreate GPU_RUNTIME(EventCreate)
#define gpuEventDestroy GPU_RUNTIME(EventDestroy)
#define gpuEventRecord GPU_RUNTIME(EventRecord)
#define gpuEventSynchronize GPU_RUNTIME(EventSynchronize)
#define gpuEventElapsedTime GPU_RUNTIME(EventElapsedTime)

// Queues blocks of threads, one call of the kernel each.
template <class Arguments>
gpuError_t gpu_launch(void (*kernel)(Arguments), unsigned blocks, unsigned threads,
                      gpuStream_t stream, Arguments arguments) {
  void* pointers[] = {&arguments};
  return gpuLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(blocks), dim3(threads),
                         pointers, 0, stream);
}

#endif

#if defined(__CUDACC__) && defined(GOSS_GPU_CUDA)

#define GPU_DEVICE __device__
#define GPU_KERNEL(max_threads) __global__ __launch_bounds__(max_threads)

#define GPU_NO_UNROLL _Pragma("unroll 1")
#define GPU_UNROLL(times) _Pragma("unroll " #times)

GPU_DEVICE inline unsigned gpu_thread() { return threadIdx.x; }
GPU_DEVICE inline unsigned gpu_block() { return blockIdx.x; }

// The value of the thread whose number in the team differs by `kMask`.
template <unsigned kMask, class T>
GPU_DEVICE T team_exchange(T value) {
  return __shfl_xor_sync(0xffffffffu, value, kMask);
}
// The value of thread `from` of the team.
GPU_DEVICE inline unsigned team_value_of(unsigned value, unsigned from) {
  return __shfl_sync(0xffffffffu, value, from);
}
// Bit i: what thread i of the team says.
GPU_DEVICE inline unsigned team_ballot(bool says) { return __ballot_sync(0xffffffffu, says); }

// To nearest even with subnormals, as IEEE 754 says; NaNs stay NaNs.
GPU_DEVICE inline float gpu_widen_fp16(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
GPU_DEVICE inline unsigned short gpu_narrow_fp16(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}

#elif defined(__HIP__) && defined(GOSS_GPU_HIP)

// Inlined always: what is called has its arrays in memory instead of registers.
#define GPU_DEVICE __attribute__((device, always_inline))
#define GPU_KERNEL(max_threads) __attribute__((global, launch_bounds(max_threads)))

#define GPU_NO_UNROLL _Pragma("unroll 1")
#define GPU_UNROLL(times) GPU_PRAGMA(unroll times)
#define GPU_PRAGMA(text) _Pragma(#text)

GPU_DEVICE inline unsigned gpu_thread() { return __builtin_amdgcn_workitem_id_x(); }
GPU_DEVICE inline unsigned gpu_block() { return __builtin_amdgcn_workgroup_id_x(); }

// Waves of 64 are two teams.
GPU_DEVICE inline unsigned gpu_lane_of_wave() {
  return __builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0));
}
template <unsigned kMask, class T>
GPU_DEVICE T team_exchange(T value) {
  const int bits = __builtin_bit_cast(int, value);
  int other;
  if constexpr (kMask < 4) {  // within four threads: lanes kMask ^ 0 .. 3, two bits each
    constexpr int kLanes = (kMask ^ 0) | (kMask ^ 1) << 2 | (kMask ^ 2) << 4 | (kMask ^ 3) << 6;
    other = __builtin_amdgcn_mov_dpp(bits, kLanes, 0xf, 0xf, true);
  } else {
    other = __builtin_amdgcn_ds_bpermute(static_cast<int>((gpu_lane_of_wave() ^ kMask) * 4), bits);
  }
  return __builtin_bit_cast(T, other);
}
GPU_DEVICE inline unsigned team_value_of(unsigned value, unsigned from) {
  const unsigned lane = (gpu_lane_of_wave() & ~31u) + from;
  return __builtin_amdgcn_ds_bpermute(static_cast<int>(lane * 4), static_cast<int>(value));
}
GPU_DEVICE inline unsigned team_ballot(bool says) {
#if defined(__AMDGCN_WAVEFRONT_SIZE__) && __AMDGCN_WAVEFRONT_SIZE__ == 32
  return __builtin_amdgcn_ballot_w32(says);
#else
  return static_cast<unsigned>(__builtin_amdgcn_ballot_w64(says) >> (gpu_lane_of_wave() & 32u));
#endif
}

GPU_DEVICE inline float gpu_widen_fp16(unsigned short bits) {
  return static_cast<float>(__builtin_bit_cast(_Float16, bits));
}
GPU_DEVICE inline unsigned short gpu_narrow_fp16(float value) {
  return __builtin_bit_cast(unsigned short, static_cast<_Float16>(value));
}

#endif

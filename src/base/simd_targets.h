// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Which of Highway's targets the kernels are compiled for, and the way from a target's bit to the
// functions compiled for it. To be included before any header of Highway. We choose the target
// ourselves instead of by HWY_DYNAMIC_DISPATCH: its state is shared with other users of libhwy in
// the process, and GOSS_CPU_ISA must not change theirs.
#pragma once

// Sanitizers multiply the code of every small function of Highway: with one instruction set instead
// of three (the source is the same for all), loops left as they are written and one kind of
// destination only, these builds take minutes less.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GOSS_SIMD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GOSS_SIMD_SANITIZED 1
#endif
#endif
#ifndef GOSS_SIMD_SANITIZED
#define GOSS_SIMD_SANITIZED 0
#endif

// SSSE3 is not worth its size; vectors of SVE and RVV have no size at compile time and cannot stand
// in structures.
#define HWY_DISABLED_TARGETS                                               \
  (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV | \
   (GOSS_SIMD_SANITIZED ? HWY_SSE4 | HWY_AVX3 | HWY_AVX3_DL : 0))

#include <hwy/detect_targets.h>

// The scalar targets of Highway lack most of what the kernels use; the specifications do their
// work.
#define GOSS_SIMD_IS_SCALAR (HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128)

#if HWY_TARGETS & HWY_AVX3
#define GOSS_SIMD_AVX3(target, call) \
  if ((target) == HWY_AVX3) return N_AVX3::call
#else
#define GOSS_SIMD_AVX3(target, call) (void)0
#endif
#if HWY_TARGETS & HWY_AVX2
#define GOSS_SIMD_AVX2(target, call) \
  if ((target) == HWY_AVX2) return N_AVX2::call
#else
#define GOSS_SIMD_AVX2(target, call) (void)0
#endif
#if HWY_TARGETS & HWY_SSE4
#define GOSS_SIMD_SSE4(target, call) \
  if ((target) == HWY_SSE4) return N_SSE4::call
#else
#define GOSS_SIMD_SSE4(target, call) (void)0
#endif
#if HWY_TARGETS & HWY_NEON
#define GOSS_SIMD_NEON(target, call) \
  if ((target) == HWY_NEON) return N_NEON::call
#else
#define GOSS_SIMD_NEON(target, call) (void)0
#endif

// Returns `call` of the namespace that was compiled for `target`, if there is one.
#define GOSS_SIMD_DISPATCH(target, call) \
  GOSS_SIMD_AVX3(target, call);          \
  GOSS_SIMD_AVX2(target, call);          \
  GOSS_SIMD_SSE4(target, call);          \
  GOSS_SIMD_NEON(target, call)

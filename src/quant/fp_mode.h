// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// The caller may have set the processor to flush subnormal numbers to zero, to another rounding or
// to trap. While a DefaultFpMode lives, the thread computes as IEEE 754 says, so that bytes do not
// depend on it; afterwards everything is as it was. Kernels are called through pointers, so
// compilers cannot move arithmetic out of the scope.
#pragma once

#include <cstdint>

namespace goss::quant {

class DefaultFpMode {
 public:
  DefaultFpMode() : old_(read()) {
    if ((old_ & kModes) != kDefault) write((old_ & ~kModes) | kDefault);
  }
  ~DefaultFpMode() {
    if ((old_ & kModes) != kDefault) write(old_);
  }
  DefaultFpMode(const DefaultFpMode&) = delete;
  DefaultFpMode& operator=(const DefaultFpMode&) = delete;

 private:
#if defined(__x86_64__)
  using Register = uint32_t;  // MXCSR
  static constexpr Register kModes = 0xffc0;
  static constexpr Register kDefault = 0x1f80;
  static Register read() { return __builtin_ia32_stmxcsr(); }
  static void write(Register value) { __builtin_ia32_ldmxcsr(value); }
#elif defined(__aarch64__)
  using Register = uint64_t;                     // FPCR
  static constexpr Register kModes = 0x7ff9f00;  // traps, FZ16, rounding, FZ, default NaN, AHP
  static constexpr Register kDefault = 0;
  static Register read() {
    Register value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(Register value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
#else
  using Register = uint32_t;
  static constexpr Register kModes = 0;
  static constexpr Register kDefault = 0;
  static Register read() { return 0; }
  static void write(Register) {}
#endif
  Register old_;
};

}  // namespace goss::quant

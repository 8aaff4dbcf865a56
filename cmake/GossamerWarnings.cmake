# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# goss_flags: what every target of this project is compiled with. Nothing here is exported, and no
# global variable is changed.
add_library(goss_flags INTERFACE)
target_compile_features(goss_flags INTERFACE cxx_std_20 c_std_11)
target_compile_options(goss_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  # gcc 12 sees overlaps in std::string that are not there (gcc bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  -Werror=switch       # every switch over an enum names every enumerator
  -Werror=return-type
  $<$<BOOL:${GOSS_WERROR}>:-Werror>
  -ffp-contract=off    # a fused multiply-add would make results depend on the compiler
  -fvisibility=hidden
  -fno-omit-frame-pointer)
target_link_options(goss_flags INTERFACE -Wl,--as-needed)

if(GOSS_SANITIZE STREQUAL "address")
  set(goss_sanitizers -fsanitize=address,undefined -fno-sanitize=enum -fno-sanitize-recover=all)
elseif(GOSS_SANITIZE STREQUAL "thread")
  # -Wno-tsan: thread fences are not modelled; the code pairs them with atomics that are.
  set(goss_sanitizers -fsanitize=thread $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
elseif(GOSS_SANITIZE)
  message(FATAL_ERROR "GOSS_SANITIZE=${GOSS_SANITIZE}: expected nothing, address or thread")
endif()
target_compile_options(goss_flags INTERFACE ${goss_sanitizers})
target_link_options(goss_flags INTERFACE ${goss_sanitizers})

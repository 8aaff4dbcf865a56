# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Kernels for devices: GOSS_GPU_KERNELS compiled by whatever compilers there are. Nothing here asks
# whether the machine has a GPU. Makes
#   goss_quant_cuda  a library with the kernels and src/quant/gpu/operations.h, by nvcc
#   gpu_objects      also the kernels for AMD as assembly, by clang without ROCm, which tests look at
# and GOSS_GPU_SUMMARY, GOSS_GPU_OBJECTS. Rounding is part of the wire format: no contraction to
# fused multiply-adds, correctly rounded divisions, subnormals (both compilers' defaults).
set(GOSS_GPU "auto" CACHE STRING "Kernels for GPUs: auto (by the compilers that are found) or none")
set_property(CACHE GOSS_GPU PROPERTY STRINGS auto none)
set(GOSS_GPU_SUMMARY "none")
set(GOSS_GPU_OBJECTS)
if(GOSS_GPU STREQUAL "none" OR GOSS_SANITIZE)
  return()
endif()
set(GOSS_GPU_AMD gfx90a gfx942 gfx1100)
set(GOSS_GPU_NVIDIA 80 90)

find_program(GOSS_NVCC nvcc HINTS /usr/local/cuda/bin)
find_program(GOSS_GPU_CLANG NAMES clang++-19 clang++-20 HINTS /usr/lib/llvm-19/bin /opt/rocm/llvm/bin)
set(gpu_summary)
set(gpu_flags -std=c++20 -O3 -I${PROJECT_SOURCE_DIR}/src -I${PROJECT_SOURCE_DIR}/include)

# goss_gpu_compile(<list> <suffix> COMMAND compiler and flags): one output per kernel source, which
# is appended to the list.
function(goss_gpu_compile outputs suffix)
  cmake_parse_arguments(arg "" "" "COMMAND" ${ARGN})
  foreach(source ${GOSS_GPU_KERNELS})
    cmake_path(GET source STEM name)
    set(output ${PROJECT_BINARY_DIR}/gpu/${name}.${suffix})
    add_custom_command(OUTPUT ${output} VERBATIM
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/gpu
      COMMAND ${arg_COMMAND} -MD -MF ${output}.d -o ${output} ${source}
      DEPENDS ${source} DEPFILE ${output}.d COMMENT "Compiling ${name}.hip to ${name}.${suffix}")
    list(APPEND ${outputs} ${output})
  endforeach()
  set(${outputs} ${${outputs}} PARENT_SCOPE)
endfunction()

# ---- NVIDIA ------------------------------------------------------------------------------------------
if(GOSS_NVCC)
  cmake_path(GET GOSS_NVCC PARENT_PATH cuda)
  cmake_path(GET cuda PARENT_PATH cuda)
  find_library(GOSS_CUDART cudart_static HINTS ${cuda}/lib64 ${cuda}/lib)
  set(architectures)
  foreach(number ${GOSS_GPU_NVIDIA})
    list(APPEND architectures -gencode arch=compute_${number},code=sm_${number})
  endforeach()
  set(objects)
  goss_gpu_compile(objects cuda.o COMMAND ${GOSS_NVCC} -x cu -c ${gpu_flags} -DGOSS_GPU_CUDA
    -fmad=false --expt-relaxed-constexpr -Xcompiler=-fPIC,-fvisibility=hidden ${architectures})
  list(APPEND GOSS_GPU_OBJECTS ${objects})
  list(APPEND gpu_summary "sm_80 sm_90 by nvcc")
  if(GOSS_CUDART)
    add_library(goss_quant_cuda STATIC ${objects})
    set_target_properties(goss_quant_cuda PROPERTIES LINKER_LANGUAGE CXX)
    target_compile_definitions(goss_quant_cuda INTERFACE GOSS_GPU_CUDA)
    target_include_directories(goss_quant_cuda SYSTEM INTERFACE ${cuda}/include)
    target_link_libraries(goss_quant_cuda PUBLIC goss_quant ${GOSS_CUDART} Threads::Threads dl rt)
  endif()
else()
  message(STATUS "Kernels for NVIDIA are left out: no nvcc in PATH or /usr/local/cuda.")
endif()

# ---- AMD ---------------------------------------------------------------------------------------------
# Calls have their arrays in memory: with this threshold there are none.
set(amd_flags -x hip ${gpu_flags} -DGOSS_GPU_HIP -nogpuinc -nogpulib -ffp-contract=off
  -mllvm -inline-threshold=1000000 -Wno-pass-failed)
if(GOSS_GPU_CLANG)
  foreach(architecture ${GOSS_GPU_AMD})
    goss_gpu_compile(GOSS_GPU_OBJECTS ${architecture}.s COMMAND ${GOSS_GPU_CLANG} -S
      --cuda-device-only --offload-arch=${architecture} ${amd_flags})
  endforeach()
  list(APPEND gpu_summary "${GOSS_GPU_AMD} by clang")
else()
  message(STATUS "Kernels for AMD are left out: install clang-19.")
endif()

if(GOSS_GPU_OBJECTS)
  add_custom_target(gpu_objects ALL DEPENDS ${GOSS_GPU_OBJECTS})
  list(JOIN gpu_summary ", " GOSS_GPU_SUMMARY)
  string(REPLACE ";" " " GOSS_GPU_SUMMARY "${GOSS_GPU_SUMMARY}")
endif()

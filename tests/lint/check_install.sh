#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# check_install.sh BUILD ROOT: what `cmake --install` puts down can be used by another project through
# find_package and through pkg-config, from a place other than the configured prefix.
set -eu
build=$1
root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >/dev/null
# shellcheck disable=SC2016
sed -n '/^```c$/,/^```$/p' "$root/README.md" | sed '1d;$d' >"$work/hello.c"
cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(hello C)
find_package(gossamer REQUIRED)
add_executable(hello hello.c)
target_link_libraries(hello PRIVATE gossamer::gossamer)
END
cmake -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build" >/dev/null
env -i PATH="$PATH" "$work/build/hello"

pc=$(find "$work/prefix" -name gossamer.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -r -a flags <<<"$(pkg-config --cflags --libs gossamer)"
cc "$work/hello.c" "${flags[@]}" -o "$work/hello"
cc "$root/examples/adaptive_batches.c" "${flags[@]}" -lm -o "$work/adaptive_batches"
libdir=$(pkg-config --variable=libdir gossamer)
env -i PATH="$PATH" LD_LIBRARY_PATH="$libdir" "$work/hello"
test "$(readlink "$libdir/libgossamer.so")" = libgossamer.so.0

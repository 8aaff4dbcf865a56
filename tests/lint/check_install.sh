#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# check_install.sh BUILD ROOT: what `cmake --install` puts down can be used by another project
# (tests/consumer) through find_package and through pkg-config, from a place other than the configured
# prefix, and the tools run from there.
set -eu
build=$1
root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >/dev/null
cmake -S "$root/tests/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null
cmake --build "$work/build" >/dev/null
for language in c cpp; do
    env -i PATH="$PATH" "$work/build/consumer_$language"
done

pc=$(find "$work/prefix" -name gossamer.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -r -a flags <<<"$(pkg-config --cflags --libs gossamer)"
cc "$root/examples/hello.c" "${flags[@]}" -o "$work/hello"
cc "$root/examples/adaptive_batches.c" "${flags[@]}" -lm -o "$work/adaptive_batches"
libdir=$(pkg-config --variable=libdir gossamer)
env -i PATH="$PATH" LD_LIBRARY_PATH="$libdir" "$work/hello"
test "$(readlink "$libdir/libgossamer.so")" = libgossamer.so.0

for tool in "$work"/prefix/bin/*; do
    env -i PATH="$PATH" "$tool" --help >/dev/null
done

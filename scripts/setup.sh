#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# Installs what building, testing and the demo need on Debian 12, and nothing when it is all there.
# `setup.sh --list` prints the packages.
set -euo pipefail

# package               why
packages="
build-essential         compiler (gcc 12) and the C library
cmake                   build, 3.25 or later
ninja-build             the presets build with it
pkg-config              finds Highway
libhwy-dev              Highway: vector kernels for every instruction set
libhwloc-dev            hwloc: packages, memory nodes, caches, GPUs and network adapters of hosts
libssl-dev              OpenSSL: HMAC and SHA-256 of the start-up handshake
libucx-dev              UCX: the module for several hosts
iproute2                networks of the tests with several hosts
libgtest-dev            GoogleTest: the tests
libgmock-dev            GoogleTest's matchers
libbenchmark-dev        Google Benchmark: inner loops
libboost-context-dev    Boost.Context: fibers of the tests that run kernels of GPUs on the CPU
libcli11-dev            CLI11: command lines of the tools
nlohmann-json3-dev      JSON files of the tools
libtorch-dev            libtorch: networks and gradients of goss-train
libopenblas0-pthread    its matrix products; the default BLAS is several times slower
zlib1g-dev              goss-train reads .gz files and checks its checkpoints
mpich                   MPICH to compare with
libmpich-dev            the same
libgloo-dev             Gloo to compare with
openmpi-bin             mpirun: starts the ranks of the demo and of some tests
libopenmpi-dev          gossamer_mpi, and Open MPI to compare with
python3                 the checks in tests/lint
locales                 localedef makes a locale with decimal commas for a test
clang-format-14         the style check
codespell               the spelling check
"
names=$(awk 'NF {print $1}' <<<"$packages")
if [[ ${1-} == --list ]]; then
    echo "$names"
    exit 0
fi

if ! command -v apt-get >/dev/null; then
    echo "this is no Debian: install by other means what $0 --list names" >&2
    exit 1
fi
missing=()
for name in $names; do
    if [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null) != installed ]]; then
        missing+=("$name")
    fi
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

echo "installing: ${missing[*]}"
as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "installing packages needs root: run $0 as root, or install sudo" >&2
        exit 1
    fi
    as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND="${DEBIAN_FRONTEND-noninteractive}" apt-get --quiet --yes)
# Old package lists may name files that are gone; none at all on a bare machine.
"${apt[@]}" update </dev/null
"${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null

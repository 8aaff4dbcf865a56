#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# From a bare Debian 12 to an all-reduce: installs what is missing, builds, and measures 4 ranks
# on this machine, Gossamer first, then Open MPI with the same work.
# demo.sh [options for both tools, e.g. -e 64M; default: -b 8 -e 16M -f 8]
set -euo pipefail
cd "$(dirname "$0")/.."
ranks=${RANKS-4}
options=("$@")
if ((${#options[@]} == 0)); then
    options=(-b 8 -e 16M -f 8)
fi

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1/3  packages"
scripts/setup.sh
echo "all there"

say "2/3  build"
cmake --preset release >build.log 2>&1 || { cat build.log; exit 1; }
cmake --build --preset release -j "$(nproc)" | tail -n 1
mv build.log build/

say "3/3  all-reduce over $ranks ranks on $(nproc) cores"
mpirun=(mpirun.openmpi -np "$ranks" --oversubscribe)
if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
echo "Gossamer: ${mpirun[*]} build/perf/all_reduce_perf ${options[*]}"
"${mpirun[@]}" build/perf/all_reduce_perf "${options[@]}" </dev/null
echo
echo "Open MPI: ${mpirun[*]} build/perf/openmpi_perf ${options[*]}"
"${mpirun[@]}" build/perf/openmpi_perf "${options[@]}" </dev/null

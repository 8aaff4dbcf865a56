#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
#
# From a bare Debian 12 to an all-reduce and a training run: installs what is missing, builds, and
# measures ranks on this machine: Gossamer's table, Open MPI's for the same work, and both side by
# side; then trains a network for a minute, with fixed and with adaptive batches.
# RANKS=2 SIZES=8,1M demo.sh: other than 4 ranks and 8 B to 16 MiB.
set -euo pipefail
cd "$(dirname "$0")/.."
ranks=${RANKS-4}
sizes=${SIZES-8,64,512,4K,32K,256K,2M,16M}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "1/4  packages"
scripts/setup.sh
echo "all there"

say "2/4  build"
mkdir -p build
quietly() {
    "$@" >build/demo.log 2>&1 || {
        cat build/demo.log
        exit 1
    }
}
quietly cmake --preset release
quietly cmake --build --preset release -j "$(nproc)" --target all_reduce_perf openmpi_perf goss-train
echo "build/perf/all_reduce_perf, build/perf/openmpi_perf, build/trainer/goss-train"

say "3/4  all-reduce, fp32 sum, $ranks ranks on $(nproc) cores"
if ((EUID == 0)); then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
run() {
    echo "$ mpirun.openmpi -np $ranks --oversubscribe $*" >&2
    mpirun.openmpi -np "$ranks" --oversubscribe "$@" </dev/null
}
same="--sizes $sizes --block-ms 10 --reps 9" # one ruler; -a 3: a block's time is the slowest rank's
# shellcheck disable=SC2086
run build/perf/all_reduce_perf $same -a 3 --pin 1 -J "$work/gossamer.json"
echo
# shellcheck disable=SC2086
run build/perf/openmpi_perf $same --csv >"$work/openmpi.csv"

say "Median time of an all-reduce"
python3 scripts/demo_table.py "$work/gossamer.json" "$work/openmpi.csv"

trainers=$(($(nproc) < ranks ? $(nproc) : ranks)) # computing ranks need a core each
say "4/4  training, $trainers ranks: fixed batches of 32, then adaptive ones"
logs=()
for mode in fixed adaptive; do
    logs+=("build/demo-$mode.jsonl")
    mpirun.openmpi -np "$trainers" build/trainer/goss-train --data glyphs47 --network lenet \
        --train 20000 --epochs 12 --lr 0.025 --mode "$mode" --log "build/demo-$mode.jsonl" </dev/null
done
echo "generated images; what this says and does not say: docs/trainer.md"
trainer/report/goss-report "${logs[@]}" --output build/demo-report.html

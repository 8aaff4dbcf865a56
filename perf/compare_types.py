#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""All-reduce of every type and operation beside fp32 sum of as many bytes, alternately.

Medians per state of the machine, and their ratios to fp32 sum. For sums also what the arithmetic
alone explains: fp32's time and 1.1 times what reduce_bench needs more than for fp32, for a rank's
share of the elements (large operations) and for all of them (small ones, which every rank reduces).
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

from compare import (LEFT_OUT, ROOT, STATES, Unavailable, distance, execute, parse_sizes, size_text,
                     state_of, time_text)

TYPES = ("float,double,half,bfloat16,f8e4m3,f8e5m2,int8,uint8,int32,uint32,int64,uint64")
OPS = "sum,prod,max,min,avg"
REFERENCE = ("float", "sum")
KERNEL_SIZES = {"64MiB": 64 << 20, "1MiB": 1 << 20, "8KiB": 8 << 10, "64B": 64, "8B": 8}
SOURCES = (2, 4, 8)  # that reduce_bench has


def measure(job, size, options):
    """The time in us of one all-reduce, and the state of the machine."""
    with tempfile.TemporaryDirectory(prefix="goss-types-") as folder:
        file = os.path.join(folder, "result.json")
        before = distance(options)
        execute([str(options.build / "perf" / "all_reduce_perf"), "--procs", str(options.ranks),
                 "--pin", "1", "--sizes", str(size), "-d", job[0], "-o", job[1], "-a", "3",
                 "--reps", str(options.reps), "--block-ms", str(options.block_ms), "-J", file],
                options)
        after = distance(options)
        with open(file, encoding="utf-8") as text:
            us = json.load(text)["results"][0]["out_of_place"]["time"]
    return us, state_of(before, after)


def kernel_us(data_type, size, options):
    """What reduce_bench needs for a sum of `size` bytes."""
    sources = max(n for n in SOURCES if n <= max(options.ranks, SOURCES[0]))
    at = next((name for name, least in KERNEL_SIZES.items() if size >= least), "8B")
    out = execute([str(options.build / "perf" / "reduce_bench"), "--benchmark_format=json",
                   "--benchmark_min_time=0.05",
                   f"--benchmark_filter=^{data_type}/sum/{sources}/{at}$"], options)
    one = json.loads(out)["benchmarks"][0]
    return one["real_time"] / 1e3 * size / KERNEL_SIZES[at]


def collect(options):
    """({(size, state): {job: [us]}}, {(size, type): [kernel us]})."""
    times, kernels = {}, {}
    for number in range(options.rounds):
        for size in options.sizes:
            for data_type in options.types:
                jobs = [REFERENCE] + [(data_type, op) for op in options.ops]
                for job in dict.fromkeys(jobs):
                    us, state = measure(job, size, options)
                    times.setdefault((size, state), {}).setdefault(job, []).append(us)
                for one in dict.fromkeys(("float", data_type)):
                    us = kernel_us(one, size, options)
                    kernels.setdefault((size, one), []).append(us)
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return times, kernels


def print_table(size, state, medians, kernels, options):
    reference = medians.get(REFERENCE)
    if reference is None:
        return
    print(f"\n{options.ranks} ranks, {size_text(size)}, CPUs {state}: time over that of fp32 sum "
          f"({time_text(reference)})")
    print(f"{'':>10}" + "".join(f"{op:>8}" for op in options.ops) +
          f"{'sum':>12}{'share':>12}{'all':>12}")
    turns = max(options.ranks / options.cpus, 1)  # ranks on one CPU
    for data_type in options.types:
        cells = [medians.get((data_type, op)) for op in options.ops]
        ratios = "".join(f"{us / reference:8.2f}" if us else f"{'-':>8}" for us in cells)
        total = medians.get((data_type, "sum"))
        extra = 1.1 * turns * max(kernels[size, data_type] - kernels[size, "float"], 0)
        print(f"{data_type:>10}{ratios}{time_text(total) if total else '-':>12}"
              f"{time_text(reference + extra / options.ranks):>12}"
              f"{time_text(reference + extra):>12}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--ranks", type=int, default=2, help="processes (%(default)s)")
    parser.add_argument("--sizes", default="8K,1M,16M,64M", help="bytes (%(default)s)")
    parser.add_argument("--types", default=TYPES, help="(%(default)s)")
    parser.add_argument("--ops", default=OPS, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="samples per point (%(default)s)")
    parser.add_argument("--block-ms", type=float, default=10, help="length of a timed block")
    parser.add_argument("--reps", type=int, default=9, help="blocks per sample (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds per sample")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="build folder")
    options = parser.parse_args()
    options.sizes = parse_sizes(options.sizes)
    options.types, options.ops = options.types.split(","), options.ops.split(",")
    options.cpus = len(os.sched_getaffinity(0))
    try:
        times, kernels = collect(options)
    except Unavailable as reason:
        sys.exit(f"compare_types: {reason}")
    kernels = {key: statistics.median(us) for key, us in kernels.items()}
    for size, state in sorted(times, key=lambda key: (key[0], STATES.index(key[1]))):
        medians = {job: statistics.median(us) for job, us in times[size, state].items()}
        if state not in LEFT_OUT:
            print_table(size, state, medians, kernels, options)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The perf tools as programs.

usage: perf_smoke_test.py FOLDER_OF_THE_TOOLS GROUP

Groups: data (every type and operation is right), table (text, JSON, plots, in the formats of
nccl-tests), launch (threads, groups, processes), split (NCCL_TESTS_SPLIT), faults (wrong results,
bad flags, killed ranks), mpirun (skipped with exit code 77 where there is none).
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from perf_tools import (LIMIT_S, ROW_PER_ITER, ROW_STAMPED, TOOLS, expect, failures, good, rows,
                        run, tools)

SKIP = 77
HEADS = [
    "#",
    "#                                                              out-of-place                  "
    "     in-place          ",
    "#       size         count      type   redop    root     time   algbw   busbw  #wrong     time"
    "   algbw   busbw  #wrong ",
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)             (us)"
    "  (GB/s)  (GB/s)         ",
]


def test_data():
    for ranks in (1, 2, 3):
        good("all_reduce_perf", f"-t {ranks} -b 8 -e 100001 -f 400 -n 2 -d all -o all", 12 * 5 * 2)
    good("broadcast_perf", "-t 3 -b 8 -e 100001 -f 400 -n 2 -d all -r all", 12 * 3 * 2)
    good("all_reduce_perf", "-t 2 -b 4 -e 4 -n 2 -u 3 -d int8 -c 4", 1)
    good("all_reduce_perf", "-t 2 -b 0 -e 64 -i 32 -n 2", 3)
    good("all_reduce_perf", "-t 2 -b 1K -e 1M -f 32 -n 2 -R 1 -c 2", 3)
    good("barrier_perf", "-t 2 -n 2 -c 4", 1)


def check_json(path, per_iter):
    result = json.loads(path.read_text())
    keys = ("version start_time args env nccl_version config results out_of_bounds "
            "average_bus_bandwidth errors end_time").split()
    for key in keys:
        expect(key in result, f"JSON: no {key}")
    expect(not any("verysecret" in entry for entry in result["env"]), "JSON: holds the secret")
    config = ("nthreads ngpus minimum_bytes maximum_bytes step_factor warmup_iters iterations "
              "aggregated_iterations validation graph blocking_collectives per_iter_timing "
              "per_iter_skip parallel_init devices").split()
    for key in config:
        expect(key in result["config"], f"JSON: no config.{key}")
    expect([d["rank"] for d in result["config"]["devices"]] == [0, 1], "JSON: devices")
    for key in "rank group pid hostname device device_hex device_info".split():
        expect(key in result["config"]["devices"][0], f"JSON: no device.{key}")
    expect([r["size"] for r in result["results"]] == [8, 64, 512], "JSON: sizes")
    for row in result["results"]:
        for half in ("out_of_place", "in_place"):
            values = row[half]
            expect(values["time"] > 0 and values["alg_bw"] > 0, "JSON: time and alg_bw")
            expect(abs(values["bus_bw"] - values["alg_bw"]) < 1e-9, "JSON: busbw of 2 ranks")
            expect(values["nwrong"] == 0, "JSON: nwrong")
            if per_iter:
                expect(0 < values["p50"] <= values["p99"], "JSON: percentiles")
                times = row[half + "_per_iter"]
                expect(len(times["times_us"]) == 8, "JSON: -K leaves out the first operations")
                expect(times["p99_us"] == values["p99"], "JSON: p99")


def test_table():
    text = good("all_reduce_perf", "-t 2 -b 8 -e 512 -f 8", 3)
    lines = text.splitlines()
    for head in HEADS:
        expect(head in lines, f"no line {head!r} in:\n{text}")
    expect(re.search(r"^# nThread 2 nGpus 1 minBytes 8 maxBytes 512 step: 8\(factor\) warmup iters:"
                     r" 1 iters: 20 agg iters: 1 validation: 1 graph: 0 unalign: 0$", text, re.M),
           "the line of settings")
    device = r"^#  Rank +1 Group +0 Pid +\d+ on +\S+ device -1 \[0000:00:00\] .+$"
    expect(re.search(device, text, re.M), "the line of a device")
    expect(re.search(r"^# start-up: \d+\.\d{3} s$", text, re.M), "the start-up")
    expect(re.search(r"^# Avg bus bandwidth    : [\d.e+-]+ $", text, re.M), "the average")
    good("all_reduce_perf", "-t 2 -b 8 -e 512 -f 8 -S 1", 3, row=ROW_STAMPED)
    good("all_reduce_perf", "-t 2 -b 8 -e 8 -c 0 -C 1 -z 1 -m 4 -N 2", 2)
    good("all_reduce_perf", "-t 2 -b 8 -e 64 -f 8 --block-ms 1 --reps 3 -a 3", 2)
    text = good("all_reduce_perf", "-t 2 --sizes 1M,8,4K --vary-count -c 2", 3)
    sizes = [line.split()[0] for line in rows(text)]
    expect(sizes == ["8", "4096", "1048576"], f"--sizes 1M,8,4K: rows of {sizes}")
    good("all_reduce_perf", "-t 2 --sizes 8,8K -m 64 --vary-count --block-ms 1 --reps 3", 2)
    good("all_reduce_perf", "-t 2 -b 8 -e 64 -f 8 --rewrite -n 3", 2)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "out.json"
        flags = f"-t 2 -b 8 -e 512 -f 8 -n 10 -J {path}"
        good("all_reduce_perf", flags, 3, env={"GOSS_SECRET": "verysecret"})
        good("all_reduce_perf", flags + " -I 1 -K 2", 3, row=ROW_PER_ITER)
        check_json(path, per_iter=False)
        check_json(pathlib.Path(f"{path}.0"), per_iter=True)
        svg = pathlib.Path(folder) / "out.svg"
        text = good("all_reduce_perf", f"-t 2 -b 8 -e 4K -f 8 -n 5 --overlap --plot {svg}", 4)
        expect(text.count("# Overlap with computing") == 1, "the table of overlaps")
        expect(svg.read_text().rstrip().endswith("</svg>"), "the plot")
        if shutil.which("gnuplot") or shutil.which("rsvg-convert"):
            png = pathlib.Path(folder) / "out.png"
            good("all_reduce_perf", f"-t 2 -b 8 -e 4K -f 8 -n 5 --plot {png}", 4)
            expect(png.read_bytes().startswith(b"\x89PNG"), "the PNG")
        no_programs = {"PATH": folder}
        done = run("all_reduce_perf", "--plot x.png", env=no_programs)
        expect(done.returncode == 2 and "gnuplot-nox" in done.stderr, "no way to make a PNG")


def test_launch():
    for flags, ranks in (("-t 2", 2), ("-g 3", 3), ("--procs 2", 2), ("--procs 2 -t 2 -g 2", 8),
                         ("-t 2 -g 2 -p 1", 4), ("--procs 2 -t 2 -p 1", 4), ("-t 2 --stream", 2),
                         ("-t 2 -y 0", 2), ("-g 2 --stream -m 3", 2), ("--procs 1", 1),
                         ("--procs 2 --pin 1", 2), ("--procs 2 --pin 0", 2), ("-g 3 -R 1", 3)):
        for tool in ("all_reduce_perf", "broadcast_perf", "barrier_perf"):
            nrows = 1 if tool == "barrier_perf" else 2
            text = good(tool, f"-b 8 -e 4K -f 512 -n 3 {flags}", nrows)
            expect(len(re.findall(r"^#  Rank ", text, re.M)) == ranks, f"{tool} {flags}: ranks")
    port = str(20000 + os.getpid() % 10000)
    ranks = [subprocess.Popen([tools / "all_reduce_perf", "-b", "8", "-e", "8", "-g", "2"],
                              stdout=subprocess.PIPE, text=True,
                              env={**os.environ, "GOSS_RANK": str(r), "GOSS_NRANKS": "2",
                                   "GOSS_PORT": port}) for r in range(2)]
    outputs = [rank.communicate(timeout=LIMIT_S)[0] for rank in ranks]
    expect([rank.returncode for rank in ranks] == [0, 0], "environment start: exit codes")
    expect(len(rows(outputs[0])) == 1 and outputs[1] == "", "environment start: rank 0 prints")
    expect(len(re.findall(r"^#  Rank ", outputs[0], re.M)) == 4, "environment start: ranks")


def test_split():
    def groups(text):
        return [int(g) for g in re.findall(r"^#  Rank +\d+ Group +(\d+) ", text, re.M)]

    for variable, value, expected in (
            ("SPLIT", "AND 0x1", [0, 1, 0, 1]), ("SPLIT", "&1", [0, 1, 0, 1]),
            ("SPLIT", "or 0b1", [1, 1, 3, 3]), ("SPLIT", "|3", [3, 3, 3, 3]),
            ("SPLIT", "MOD 3", [0, 1, 2, 0]), ("SPLIT", "%2", [0, 1, 0, 1]),
            ("SPLIT", "DIV 2", [0, 0, 1, 1]), ("SPLIT", " / 3 ", [0, 0, 0, 1]),
            ("SPLIT_MASK", "0x2", [0, 0, 2, 2]), ("SPLIT_MASK", "10", [0, 0, 0, 0])):
        text = good("all_reduce_perf", "--procs 4 -b 8 -e 8 -n 2",
                    1, env={f"NCCL_TESTS_{variable}": value})
        expect(groups(text) == expected, f"{variable}={value}: groups {groups(text)}")
    both = {"NCCL_TESTS_SPLIT": "DIV 1", "NCCL_TESTS_SPLIT_MASK": "1"}
    text = good("all_reduce_perf", "--procs 2 -t 2 -g 2 -b 8 -e 4K -f 512 -n 2 -d all", 24, env=both)
    expect(groups(text) == [0] * 4 + [1] * 4, f"all ranks of a process in one group: {groups(text)}")
    # Three processes in groups of two and one: as many roots as the smaller has.
    uneven = {"NCCL_TESTS_SPLIT": "DIV 2"}
    good("broadcast_perf", "--procs 3 -g 2 -b 8 -e 64K -f 8192 -n 2 -r all", 2 * 2, env=uneven)
    good("barrier_perf", "--procs 3 -n 2 -c 6", 1, env=uneven)
    done = run("broadcast_perf", "--procs 3 -b 8 -e 8 -r 1", env=uneven)
    expect(done.returncode == 1 and "only 1 ranks in a group" in done.stderr, "a root too high")
    done = run("all_reduce_perf", "--procs 4 -b 64 -e 64 -n 2 --inject-error", env=uneven)
    expect(done.returncode == 1 and "rank 3: " in done.stderr, f"an error in group 1: {done.stderr}")
    expect([line.split()[8] for line in rows(done.stdout)] == ["1"], "#wrong of another group")
    # Two groups of two have the bus bandwidth of two ranks, that is algbw; one of four 1.5 times.
    for env, factor in ((uneven, 1.0), ({}, 1.5)):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "out.json"
            good("all_reduce_perf", f"--procs 4 -b 64K -e 64K -n 2 -J {path}", 1, env=env)
            half = json.loads(path.read_text())["results"][0]["out_of_place"]
            expect(abs(half["bus_bw"] / half["alg_bw"] - factor) < 1e-9, f"busbw of {env}: {half}")
    for variable, value in (("SPLIT", "MOD 0"), ("SPLIT", "DIV 0"), ("SPLIT", "XOR 1"),
                            ("SPLIT", "AND"), ("SPLIT", "AND 1x"), ("SPLIT", "AND -1"),
                            ("SPLIT", ""), ("SPLIT", "8"), ("SPLIT", "& 99999999999"),
                            ("SPLIT_MASK", "7g"), ("SPLIT_MASK", ""), ("MIN_BW", "fast")):
        done = run("all_reduce_perf", "-b 8 -e 8", env={f"NCCL_TESTS_{variable}": value})
        expect(done.returncode == 2 and f"NCCL_TESTS_{variable}={value}: expected" in done.stderr,
               f"{variable}={value}: exit code {done.returncode}, {done.stderr}")


def children(pid):
    out = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in out.split()]


def test_killed_process():
    command = [str(tools / "all_reduce_perf"), "--procs", "3", "-b", "64K", "-e", "64K", "-N", "0"]
    tool = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in tool.stdout:
        if rows(line):
            break
    ranks = children(tool.pid)
    expect(len(ranks) == 3, f"--procs 3 has {len(ranks)} processes")
    os.kill(ranks[1], signal.SIGKILL)
    begin = time.monotonic()
    _, errors = tool.communicate(timeout=LIMIT_S)
    expect(tool.returncode == 1, f"killed rank: exit code {tool.returncode}")
    expect(re.search(r"^rank 1 \(process 1, pid \d+\) died: signal 9", errors, re.M),
           f"killed rank: not reported: {errors}")
    expect(time.monotonic() - begin < 20, "killed rank: the others did not end")
    for pid in ranks:
        expect(not pathlib.Path(f"/proc/{pid}").exists(), f"killed rank: {pid} is left behind")


def test_faults():
    for flags in ("-t 2", "-t 2 -d bfloat16 -o avg", "--procs 2 -d f8e5m2 -o max", "-g 2 -d int8"):
        done = run("all_reduce_perf", f"-b 64 -e 64 -n 2 --inject-error {flags}")
        expect(done.returncode == 1, f"{done.name}: exit code {done.returncode}")
        expect("# Out of bounds values : 2 FAILED" in done.stdout, f"{done.name}: no FAILED")
        wrong = [line.split()[8] for line in rows(done.stdout)]
        expect(wrong == ["1"], f"{done.name}: #wrong {wrong}")
        expect("1 wrong, first element" in done.stderr, f"{done.name}: no explanation")
    for tool, flags in (("broadcast_perf", "-t 2 -b 64 -e 64"), ("barrier_perf", "-t 2")):
        expect(run(tool, flags + " --inject-error").returncode == 1, f"{tool}: injected error")
    for flags in ("-b 9K -e 1K", "-d foo", "-o foo", "-o mulsum", "-b 1Q", "-b -1", "--nope", "-t 0",
                  "-n x", "extra", "--plot x.gif", "-i 0 -b 1 -e 2", "-b 0 -e 8 -f 2", "-r x",
                  "-K 20", "--block-ms 1 -I 1", "--sizes 8, -b 8", "--sizes 8,x"):
        done = run("all_reduce_perf", flags)
        expect(done.returncode == 2, f"{done.name}: exit code {done.returncode}, not 2")
        expect(done.stderr and not done.stdout, f"{done.name}: explains itself on standard error")
    expect(run("broadcast_perf", "-t 2 -r 2 -b 8 -e 8").returncode == 1, "a root too high")
    done = run("all_reduce_perf", "-b 8 -e 8 -J /nonexistent/out.json -t 2")
    expect(done.returncode == 1 and "/nonexistent/out.json" in done.stderr, "JSON: bad path")
    done = run("all_reduce_perf", "-t 2 -b 8 -e 8", env={"NCCL_TESTS_MIN_BW": "1e9"})
    expect(done.returncode == 1 and re.search(r"^# Avg bus bandwidth    : \S+ FAILED$", done.stdout,
                                              re.M), "NCCL_TESTS_MIN_BW is not reached")
    text = good("all_reduce_perf", "-t 2 -b 8 -e 8", 1, env={"NCCL_TESTS_MIN_BW": "1e-9"})
    expect(re.search(r"^# Avg bus bandwidth    : \S+ OK$", text, re.M), "NCCL_TESTS_MIN_BW reached")
    expect(run("all_reduce_perf", "--help").returncode == 0, "--help")
    done = run("all_reduce_perf", "-b 8 -e 8 -G 1")
    expect(done.returncode == 0 and "no effect on host memory" in done.stdout, "-G")
    test_killed_process()


def test_mpirun():
    launchers = []
    if shutil.which("mpirun.openmpi"):
        launchers.append(["mpirun.openmpi", "--oversubscribe", "-np", "3"])
        if os.geteuid() == 0:
            launchers[-1].insert(1, "--allow-run-as-root")
    if shutil.which("mpirun.mpich"):
        launchers.append(["mpirun.mpich", "-np", "3"])
    if not launchers:
        print("skipped: neither mpirun.openmpi nor mpirun.mpich is installed")
        sys.exit(SKIP)
    for number, launcher in enumerate(launchers):
        for extra, ranks in (("", 3), ("-t 2", 6)):
            # The port is for the MPI that the tools were not built with: the environment start.
            port = str(20000 + (os.getpid() + 7 * number + ranks) % 10000)
            text = good("all_reduce_perf", f"-b 8 -e 4K -f 512 -n 3 {extra}", 2, launcher,
                        env={"GOSS_PORT": port})
            expect(len(re.findall(r"^#  Rank ", text, re.M)) == ranks, f"{launcher} {extra}: ranks")
        for name, tool in TOOLS.items():
            extra = "-g 2 -z 1" if name != "hypercube_perf" else "-N 1"
            at = launcher if name != "hypercube_perf" else [*launcher[:-1], "4"]
            port = str(20000 + (os.getpid() + 7 * number + 3) % 10000)
            good(name, f"--sizes 64,9000 -n 3 -c 2 {extra}", 2, at, env={"GOSS_PORT": port},
                 row=tool.row())
    done = run("all_reduce_perf", "-b 64 -e 64 -n 2 --inject-error", launchers[0])
    expect(done.returncode != 0, "an injected error under mpirun")


def main():
    groups = {"data": test_data, "table": test_table,
              "launch": test_launch, "split": test_split, "faults": test_faults,
              "mpirun": test_mpirun}
    if len(sys.argv) != 3 or sys.argv[2] not in groups:
        sys.exit(__doc__)
    groups[sys.argv[2]]()
    print(f"{sys.argv[2]}: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

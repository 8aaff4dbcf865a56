#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Every perf tool: counts, sizes, bandwidths and flags, and that #wrong finds a wrong result.

usage: perf_collectives_test.py FOLDER_OF_THE_TOOLS
"""

import json
import pathlib
import re
import sys
import tempfile

from perf_tools import TOOLS, expect, failures, good, rows, run


def check_columns(name, tool, ranks):
    """Sizes, counts and bandwidths; blocks begin at multiples of 16 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "out.json"
        text = good(name, f"-t {ranks} --sizes 8,1000,100001 -n 3 -J {path}", 3, row=tool.row())
        results = json.loads(path.read_text())["results"]
    for wanted, line, result in zip((8, 1000, 100001), rows(text), results):
        count = wanted // 4 // ranks // 4 * 4 if tool.blocks else wanted // 4
        size = count * 4 * (ranks if tool.blocks else 1)
        left = [str(size), str(count), "float", "sum" if tool.reduces else "none",
                "0" if tool.root else "-1"]
        expect(line.split()[:5] == left, f"{name}, {ranks} ranks: {left} is not in {line!r}")
        expect((result["size"], result["count"]) == (size, count), f"{name}: JSON: {result}")
        for place in ("out_of_place", "in_place"):
            half = result[place]
            if place == "in_place" and not tool.in_place:
                expect(set(half.values()) == {None}, f"{name}: JSON in place: {half}")
                continue
            expect(half["nwrong"] == 0, f"{name}: JSON: nwrong {half}")
            rate = size * tool.alg(ranks) / half["time"] / 1e3
            expect(abs(half["alg_bw"] - rate) <= 1e-9 * rate, f"{name}: algbw {half}, not {rate}")
            bus = half["alg_bw"] * tool.bus(ranks)
            expect(abs(half["bus_bw"] - bus) <= 1e-9 * bus, f"{name}: busbw {half}, not {bus}")


def test_collectives():
    for name, tool in TOOLS.items():
        for ranks in (1, 2, 4) if name == "hypercube_perf" else (1, 2, 3, 4):
            check_columns(name, tool, ranks)
            roots, ops = ranks if tool.root else 1, 5 if tool.reduces else 1
            good(name, f"-t {ranks} --sizes 256,100001 -n 1 -w 0 -d all -o all -r all",
                 2 * 12 * roots * ops, row=tool.row())
        for flags in ("-t 2 -R 1 -c 2", "-g 4 -m 3", "--procs 2 --rewrite", "--procs 2 -g 2 -m 5",
                      "-t 2 -g 2 --stream", "-t 2 -m 64 --vary-count", "-t 2 -u 3 -d int8 -z 1",
                      "-t 2 --block-ms 1 --reps 3 -a 3", "--procs 2 -y 0 -C 1"):
            good(name, f"{flags} --sizes 0,64,9000,3M -n 3", 4, row=tool.row())
        with tempfile.TemporaryDirectory() as folder:
            svg = pathlib.Path(folder) / "out.svg"
            text = good(name, f"-t 2 --sizes 64,9000 -n 3 --overlap --plot {svg}", 2,
                        row=tool.row())
            expect("# Overlap with computing" in text, f"{name}: the table of overlaps")
            drawn = svg.read_text()
            expect(drawn.rstrip().endswith("</svg>"), f"{name}: the plot")
            expect((", in place" in drawn) == tool.in_place, f"{name}: the plot of both halves")
        text = good(name, "--procs 4 --sizes 64,9000 -n 3", 2, row=tool.row(),
                    env={"NCCL_TESTS_SPLIT": "DIV 2"})
        count = int(rows(text)[1].split()[1])
        expect(count == (1124 if tool.blocks else 2250), f"{name}: {count} elements of 2 ranks")
    groups = {"NCCL_TESTS_SPLIT": "DIV 3"}
    for flags, env, words in (("-t 3", {}, "3 ranks:"),
                              ("--procs 4", groups, "3 ranks in a group:")):
        done = run("hypercube_perf", f"-b 64 -e 64 {flags}", env=env)
        expect(done.returncode == 1 and words in done.stderr, f"{done.name}: {done.stderr}")


def test_injected_errors():
    for name, tool in TOOLS.items():
        rooted = ("-t 4 -r 2",) if tool.root else ()
        for flags in ("-t 4", "-g 4 -R 1", "--procs 2 -g 2", *rooted):
            done = run(name, f"-b 4K -e 4K -n 2 -c 2 --inject-error {flags}")
            expect(done.returncode == 1, f"{done.name}: exit code {done.returncode}")
            wrong = [line.split()[8::4] for line in rows(done.stdout)]
            expect(wrong == [["1", "1" if tool.in_place else "N/A"]],
                   f"{done.name}: #wrong {wrong}")
            rank = (2 if "-r 2" in flags else 0) if name in ("reduce_perf", "gather_perf") else 3
            expect(f"rank {rank}: " in done.stderr, f"{done.name}: not rank {rank}: {done.stderr}")
            expect("1 wrong, first element" in done.stderr, f"{done.name}: no explanation")


def test_errors_of_compression():
    for name, tool in TOOLS.items():
        if name in ("alltoallv_perf", "sendrecv_perf", "hypercube_perf"):
            continue  # messages
        flags = "-t 3 -b 96K -e 96K -n 1 --codec int8@0-"
        text = run(name, flags).stdout
        expect([line.split()[8::4] for line in rows(text)] == [["0", "0" if tool.in_place else "N/A"]],
               f"{name}: {text}")
        fields = [line.split()[1:] for line in text.splitlines() if re.match(r"# +\d+ .* int8 ", line)]
        expect(len(fields) == 1, f"{name}: no row of compression: {text}")
        if fields:
            ratio, largest, bound, nmse = (float(fields[0][at]) for at in (6, 8, 9, 10))
            # Of rank 0, the root: it sends nothing in a gather and receives nothing in a scatter.
            sends, receives = name != "gather_perf", name != "scatter_perf"
            expect(3.5 < ratio < 3.8 if sends else ratio == 0, f"{name}: {fields}")
            expect(0 < largest <= bound and 0 < nmse < 1e-3 if receives else largest == bound == 0,
                   f"{name}: {fields}")
        done = run(name, f"{flags} --inject-error")
        wrong = [line.split()[8::4] for line in rows(done.stdout)]
        expect(done.returncode == 1 and wrong == [["1", "1" if tool.in_place else "N/A"]],
               f"{name}: an injected error: {done.stdout}")


def test_lists_of_codecs():
    """A table for each, and one row of each in the table of compression, also of what went as it is."""
    text = run("all_reduce_perf", "-t 3 --sizes 96K,1M -n 1 --codec int8,int4@0-;none,none").stdout
    heads = [line for line in text.splitlines() if line.startswith("# Codec: ")]
    expect(heads == ["# Codec: int8", "# Codec: int4@0-;none", "# Codec: none"], f"tables {heads}")
    expect([line.split()[8::4] for line in rows(text)] == [["0", "0"]] * 6, f"rows {text}")
    codecs = [line.split()[4] for line in text.splitlines() if re.match(r"# +\d+ .*float.* sum ", line)]
    expect(codecs == ["int8", "int8", "int4", "int4", "none", "none"], f"codecs {codecs}: {text}")
    done = run("all_reduce_perf", "-t 2 -b 8 -e 8 -n 1 --codec int8,int9")
    expect(done.returncode == 1 and "int9" in done.stderr, f"an unknown codec: {done.stderr}")


def main():
    test_errors_of_compression()
    test_lists_of_codecs()
    test_collectives()
    test_injected_errors()
    print(f"collectives: {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""all_reduce_perf's JSON beside openmpi_perf's rows, as a table."""

import csv
import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        ours = {row["size"]: float(row["out_of_place"]["time"])
                for row in json.load(file)["results"]}
    with open(sys.argv[2], encoding="utf-8") as file:
        lines = [line for line in file if "," in line]
        theirs = {int(row["bytes"]): float(row["time_us"]) for row in csv.DictReader(lines)}
    print(f"{'bytes':>12} {'Gossamer us':>14} {'Open MPI us':>14} {'ratio':>8}")
    for size in sorted(set(ours) & set(theirs)):
        print(f"{size:12d} {ours[size]:14.2f} {theirs[size]:14.2f} {theirs[size] / ours[size]:8.2f}")
    if set(ours) != set(theirs):
        print(f"only one of them measured {sorted(set(ours) ^ set(theirs))} bytes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""What the tests of the perf tools share: how a tool is run, what a good table looks like, what
each tool must say. The first argument of a test is the folder of the tools."""

import os
import pathlib
import re
import subprocess
import sys
import typing

LIMIT_S = 120
TIME, RATE, WRONG = r"  [ .\de+]{7}", r"  [ .\de+]{6}", r"  ([ .\de+]{6}|  N/A)"
NO_HALF = "      N/A     N/A     N/A    N/A"
LEFT = r"[ \d]{12}  [ \d]{12}  [ \w]{8}  [ \w]{6}  [ \d-]{6}"
ROW = re.compile(rf"^{LEFT}({TIME}{RATE}{RATE}{WRONG}){{2}}$")
ROW_OUT_OF_PLACE = re.compile(rf"^{LEFT}({TIME}{RATE}{RATE}{WRONG}){NO_HALF}$")
PER_ITER = TIME * 4
ROW_PER_ITER = re.compile(
    rf"^{LEFT}({TIME}{RATE}{RATE}{WRONG}{PER_ITER}){{2}}{TIME}{TIME}$")
ROW_STAMPED = re.compile(ROW.pattern[:-1] + r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")


class Tool(typing.NamedTuple):
    """What the rows of a tool must say with n ranks."""
    blocks: bool = True     # the data is n blocks of `count` elements
    reduces: bool = False
    root: bool = False
    in_place: bool = True
    alg: typing.Callable = lambda n: 1            # bytes of algbw over the size
    bus: typing.Callable = lambda n: (n - 1) / n  # busbw over algbw

    def row(self):
        return ROW if self.in_place else ROW_OUT_OF_PLACE


TOOLS = {
    "all_reduce_perf": Tool(blocks=False, reduces=True, bus=lambda n: 2 * (n - 1) / n),
    "broadcast_perf": Tool(blocks=False, root=True, bus=lambda n: 1),
    "reduce_perf": Tool(blocks=False, reduces=True, root=True, bus=lambda n: 1),
    "all_gather_perf": Tool(),
    "reduce_scatter_perf": Tool(reduces=True),
    "gather_perf": Tool(root=True),
    "scatter_perf": Tool(root=True),
    "alltoall_perf": Tool(in_place=False),
    "alltoallv_perf": Tool(in_place=False),
    "sendrecv_perf": Tool(blocks=False, in_place=False, bus=lambda n: 1),
    "hypercube_perf": Tool(alg=lambda n: (n - 1) / n, bus=lambda n: 1),
}
tools = pathlib.Path(sys.argv[1])
failures = []


def expect(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text)


def run(tool, flags, launcher=(), env=None):
    command = [*launcher, str(tools / tool), *flags.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False,
                          env={**os.environ, **(env or {})})
    done.name = " ".join(command)
    return done


def rows(output):
    return [line for line in output.splitlines() if line and not line.startswith("#")]


def good(tool, flags, nrows, launcher=(), env=None, row=ROW):
    """Runs a tool that must succeed; returns its output."""
    done = run(tool, flags, launcher, env)
    expect(done.returncode == 0, f"{done.name}: exit code {done.returncode}: {done.stderr}")
    lines = rows(done.stdout)
    expect(len(lines) == nrows, f"{done.name}: {len(lines)} rows, not {nrows}:\n{done.stdout}")
    for line in lines:
        expect(row.match(line), f"{done.name}: not a row of nccl-tests: {line!r}")
    expect("# Out of bounds values : 0 OK" in done.stdout, f"{done.name}: no good footer")
    return done.stdout

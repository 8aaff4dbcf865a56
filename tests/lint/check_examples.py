#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The program in gossamer.h's introduction and the one in README.md are the same, build and run.

Built as a user builds it: a C compiler, the installed header and library. Run alone, and by
mpirun with 4 ranks when one is given.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

LAUNCHERS = ("OMPI_", "PMI_", "PMIX_", "SLURM_", "GOSS_", "RANK", "WORLD_SIZE", "LOCAL_", "MASTER_")


def from_header(root):
    text = (root / "include/gossamer/gossamer.h").read_text()
    block = re.search(r"@code\{\.c\}\n(.*?) \* @endcode", text, re.DOTALL).group(1)
    return "".join(line[3:] if line.startswith(" * ") else line[2:]
                   for line in block.splitlines(keepends=True))


def from_readme(root):
    return re.search(r"```c\n(.*?)```", (root / "README.md").read_text(), re.DOTALL).group(1)


def run(command, environment, expected):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    lines = sorted(done.stdout.splitlines())
    print(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}", end="")
    if done.returncode != 0 or lines != expected:
        sys.exit(f"exit code {done.returncode}, expected 0 and these lines: {expected}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--mpirun", default="")
    args = parser.parse_args()
    program = from_header(args.root)
    if program != from_readme(args.root):
        sys.exit("the examples in gossamer.h and README.md differ")
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(LAUNCHERS)}
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "hello.c"
        source.write_text(program)
        binary = pathlib.Path(folder) / "hello"
        subprocess.run([args.cc, "-std=c11", "-Wall", "-Wextra", "-Werror",
                        f"-I{args.root}/include", source, "-o", binary, f"-L{args.library.parent}",
                        "-lgossamer", f"-Wl,-rpath,{args.library.parent}"], check=True)
        run([binary], environment, ["rank 0 of 1: 0 1 2 3"])
        if args.mpirun:
            if os.geteuid() == 0:
                environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
            run([args.mpirun, "--oversubscribe", "-np", "4", binary], environment,
                [f"rank {rank} of 4: 6 10 14 18" for rank in range(4)])
    return 0


if __name__ == "__main__":
    sys.exit(main())

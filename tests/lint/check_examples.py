#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The program of gossamer.h's introduction and README.md, which is one, and examples/ build and run.

Built as a user builds them: a C compiler, the headers and the library. Run alone, and by mpirun with
several ranks when one is given.
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


# Name of an example: what its output matches, whatever the number of ranks.
EXAMPLES = {
    "compressed_all_reduce": r"codec (int4: .* 7\.\d|none: .* 1\.0) times fewer bytes\n"
                             r"after 50 steps (feedback has removed more than 4/5 of the error|"
                             r"there is no error)\n",
    "adaptive_batches": r"(epoch \d: \d+ updates\n){8}"
                        r"9[5-9]\.\d % of held-out samples right after 1166 updates; "
                        r"batches of 32 take 2000\n",
    "gossip": r"(y = 3\.0 x \+ -1\.0 after 2000 steps\n)+",
}


def build(args, source):
    binary = source.with_suffix("")
    subprocess.run([args.cc, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{args.root}/include",
                    source, "-o", binary, f"-L{args.library.parent}", "-lgossamer", "-lm",
                    f"-Wl,-rpath,{args.library.parent}"], check=True)
    return binary


def run(command, environment):
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    print(f"$ {' '.join(map(str, command))}\n{done.stdout}{done.stderr}", end="")
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}, expected 0")
    return done.stdout


def expect_lines(output, expected):
    if sorted(output.splitlines()) != expected:
        sys.exit(f"expected these lines: {expected}")


def expect_match(output, pattern):
    if not re.fullmatch(pattern, output):
        sys.exit(f"expected what matches: {pattern}")


def check_examples(args, folder, environment, launch):
    sources = sorted((args.root / "examples").glob("*.c"))
    if {source.stem for source in sources} != set(EXAMPLES):
        sys.exit("examples/*.c and EXAMPLES in check_examples.py differ")
    for source in sources:
        copy = folder / source.name
        copy.write_text(source.read_text())
        binary = build(args, copy)
        expect_match(run([binary], environment), EXAMPLES[source.stem])
        for nranks in ("2", "3"):
            if launch:
                output = run([*launch, "-np", nranks, binary], environment)
                expect_match(output, EXAMPLES[source.stem])


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
    if args.mpirun and os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    launch = [args.mpirun, "--oversubscribe"] if args.mpirun else []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "hello.c").write_text(program)
        hello = build(args, folder / "hello.c")
        expect_lines(run([hello], environment), ["rank 0 of 1: 0 1 2 3"])
        if launch:
            expect_lines(run([*launch, "-np", "4", hello], environment),
                         [f"rank {rank} of 4: 6 10 14 18" for rank in range(4)])
        check_examples(args, folder, environment, launch)
    return 0


if __name__ == "__main__":
    sys.exit(main())

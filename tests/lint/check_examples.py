#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The program of gossamer.h's introduction, README.md and examples/hello.c, which is one, and examples/
build and run.

Built as a user builds them: a C compiler, the headers and the library. Run alone, and by mpirun with
several ranks when one is given; what is meant for torchrun with its variables.
"""

import argparse
import os
import pathlib
import re
import socket
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


# Name of an example: what its output matches, and with how many ranks mpirun starts it (1: without).
EXAMPLES = {
    "adaptive_batches": (r"(epoch \d: \d+ updates\n){8}"
                         r"9[5-9]\.\d % of held-out samples right after 1166 updates; "
                         r"batches of 32 take 2000\n", [1, 2, 3]),
    "compressed_all_reduce": (r"codec (int4: .* 7\.\d|none: .* 1\.0) times fewer bytes\n"
                              r"after 50 steps (feedback has removed more than 4/5 of the error|"
                              r"there is no error)\n", [1, 2]),
    "gossip": (r"(y = 3\.0 x \+ -1\.0 after 2000 steps\n)+", [1, 2, 3]),
    "hello": (r"(rank \d of \d: .*\n)+", [1]),  # and see main()
    "mpi_start": (r"Gossamer 6, MPI 6\n", [3]),
    "overlap": (r"mean gradient (\d\.\d{3}), expected \1\n", [1, 2]),
    "recovery": (r"3 ranks are left, 1000 steps, 3300 samples\n", [1]),
}


def build(args, source):
    binary = source.with_suffix("")
    mpi = "gossamer_mpi.h" in source.read_text()
    libraries = ["-lgossamer_mpi"] if mpi else []
    subprocess.run([args.mpicc if mpi else args.cc, "-std=c11", "-Wall", "-Wextra", "-Werror",
                    f"-I{args.root}/include", source, "-o", binary, f"-L{args.library.parent}", *libraries,
                    "-lgossamer", "-lm", f"-Wl,-rpath,{args.library.parent}"], check=True)
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
        pattern, sizes = EXAMPLES[source.stem]
        if "gossamer_mpi.h" in source.read_text() and not (args.mpicc and launch):
            print(f"left out without MPI: {source.name}")
            continue
        copy = folder / source.name
        copy.write_text(source.read_text())
        binary = build(args, copy)
        for nranks in sizes:
            if nranks == 1:
                expect_match(run([binary], environment), pattern)
            elif launch:
                expect_match(run([*launch, "-np", str(nranks), binary], environment), pattern)


def check_torchrun(args, environment):
    """What torchrun does for its processes, as far as the example can tell."""
    with socket.socket() as probe:  # the port behind this one is used; somebody may take it meanwhile
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    nranks = 3
    common = {"GOSS_LIBRARY": str(args.library), "WORLD_SIZE": str(nranks), "MASTER_ADDR": "127.0.0.1",
              "MASTER_PORT": str(port - 1), "TORCHELASTIC_RUN_ID": "example"}
    script = args.root / "examples/torchrun_start.py"
    ranks = [subprocess.Popen([sys.executable, script], env=environment | common | {"RANK": str(rank)},
                              stdout=subprocess.PIPE, text=True) for rank in range(nranks)]
    output = "".join(rank.communicate(timeout=60)[0] for rank in ranks)
    print(f"$ {script.name}, as torchrun starts it\n{output}", end="")
    expect_lines(output, [f"rank {rank} of {nranks}: 3 3 1.5" for rank in range(nranks)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--mpirun", default="")
    parser.add_argument("--mpicc", default="")
    args = parser.parse_args()
    program = from_header(args.root)
    if program != from_readme(args.root):
        sys.exit("the examples in gossamer.h and README.md differ")
    if not (args.root / "examples/hello.c").read_text().endswith(program):
        sys.exit("examples/hello.c and the example in README.md differ")
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
        check_torchrun(args, environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Compiles every header alone, and twice in one translation unit.

Public headers (include/): as C11 and C++20, -Wall -Wextra -pedantic -Werror, by every compiler given.
Internal headers (src/, tests/support/): as C++20 by the first C++ compiler. Left out are those that a
.cpp of the same name includes before anything else, because the build compiles them alone, and
*-inl.h, which are parts of one .cpp. Prints what was compiled; exits 1 when one does not compile.
"""

import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys


def different(compilers):
    """One name of each: cc is often gcc."""
    return list({pathlib.Path(shutil.which(name) or name).resolve(): name
                 for name in compilers}.values())


def compiled_by_the_build(path, name):
    source = path.with_suffix(".cpp")
    if not source.exists():
        return False
    first = re.search(r"^#include (.*)$", source.read_text(), re.MULTILINE)
    return first is not None and first.group(1) == f'"{name}"'


def compile_alone(compiler, language, flags, header):
    source = f'#include "{header}"\n#include "{header}"\n'
    command = [compiler, *flags, "-fsyntax-only", "-x", language, "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True)
    return done.returncode, f"{compiler} {language} {header}", done.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--cc", action="append", default=[], help="C compiler")
    parser.add_argument("--cxx", action="append", default=[], help="C++ compiler")
    parser.add_argument("--flag", action="append", default=[], help="for headers that use MPI or more")
    args = parser.parse_args()
    args.cc, args.cxx = different(args.cc), different(args.cxx)
    strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{args.root}/include"]
    jobs = []
    for path in sorted((args.root / "include").rglob("*.h")):
        name = path.relative_to(args.root / "include").as_posix()
        extra = []
        if "#include <mpi.h>" in path.read_text():
            if not args.flag:
                print(f"left out without MPI: {name}")
                continue
            # Another project's header is not ours to warn about.
            extra = [flag.replace("-I", "-isystem") for flag in args.flag] + ["-DOMPI_SKIP_MPICXX"]
        jobs += [(cc, "c", ["-std=c11", *strict, *extra], name) for cc in args.cc]
        jobs += [(cxx, "c++", ["-std=c++20", *strict, *extra], name) for cxx in args.cxx]
    internal = ["-std=c++20", "-Wall", "-Wextra", "-Werror", f"-I{args.root}/include",
                f"-I{args.root}/src", f"-I{args.root}/tests"]
    for folder, base in (("src", "src"), ("tests/support", "tests")):
        for path in sorted((args.root / folder).rglob("*.h")):
            name = path.relative_to(args.root / base).as_posix()
            if not path.name.endswith("-inl.h") and not compiled_by_the_build(path, name):
                jobs.append((args.cxx[0], "c++", internal, name))
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for code, what, messages in pool.map(lambda job: compile_alone(*job), jobs):
            print(("ok      " if code == 0 else "FAILED  ") + what)
            if code != 0:
                failures += 1
                print(messages)
    print(f"{len(jobs)} compilations, {failures} failures")
    return 1 if failures or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())

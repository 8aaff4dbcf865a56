#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""check_packages.py BUILD ROOT: the Debian packages that cpack makes.

Each file is in one package, the packages need each other and what they link to, and a program built
against what they unpack to runs. Skips where there is no cpack or dpkg.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Package: what it must have, and what its Depends must name.
PACKAGES = {
    "libgossamer0": ([r"/usr/lib/libgossamer\.so\.0\.\d+\.\d+", r"/usr/lib/libgossamer\.so\.0"],
                     ["libc6", "libssl3", "libhwloc15"]),
    "libgossamer-dev": ([r"/usr/include/gossamer/gossamer\.h", r"/usr/include/gossamer/recovery\.h",
                         r"/usr/lib/libgossamer\.so", r"/usr/lib/pkgconfig/gossamer\.pc",
                         r"/usr/lib/cmake/gossamer/gossamerConfig\.cmake"],
                        ["libgossamer0"]),
    "gossamer-tools": ([r"/usr/bin/all_reduce_perf", r"/usr/bin/alltoallv_perf", r"/usr/bin/goss-info"],
                       ["libgossamer0", "libc6", "libhwloc15"]),
    "libgossamer-ucx": ([r"/usr/lib/gossamer/libgossamer_ucx\.so"], ["libgossamer0", "libucx0"]),
    "libgossamer-mpi0": ([r"/usr/lib/libgossamer_mpi\.so\.0"], ["libgossamer0"]),
    "libgossamer-mpi-dev": ([r"/usr/include/gossamer/gossamer_mpi\.h", r"/usr/lib/libgossamer_mpi\.so"],
                            ["libgossamer-dev", "libgossamer-mpi0"]),
}
OPTIONAL = {"libgossamer-ucx", "libgossamer-mpi0", "libgossamer-mpi-dev"}


def output(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


def check_one(package, file, owner, problems):
    listing = [line.split(None, 5)[5].lstrip(".").split(" -> ")[0]
               for line in output("dpkg-deb", "--contents", file).splitlines()]
    files = [name for name in listing if not name.endswith("/")]
    wanted, depends = PACKAGES[package]
    problems += [f"{package} has no {pattern}" for pattern in wanted
                 if not any(re.fullmatch(pattern, name) for name in files)]
    for name in files:
        if name in owner:
            problems.append(f"{name} is in {package} and in {owner[name]}")
        owner[name] = package
    field = output("dpkg-deb", "--field", file, "Depends")
    problems += [f"{package} does not depend on {name}: {field.strip()}" for name in depends
                 if not re.search(rf"(^|, ){re.escape(name)}\b", field)]
    if f"/usr/share/doc/{package}/copyright" not in files:
        problems.append(f"{package} has no copyright file")


def main():
    build, root = (pathlib.Path(name).resolve() for name in sys.argv[1:])
    for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
        if shutil.which(program) is None:
            print(f"skipped: there is no {program}")
            return 77
    problems = []
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        subprocess.run(["cpack", "--config", build / "CPackConfig.cmake", "-G", "DEB", "-B", work], check=True,
                       cwd=work, stdout=subprocess.DEVNULL)
        made = {file.name.split("_")[0]: file for file in work.glob("*.deb")}
        problems += [f"no package {missing}" for missing in PACKAGES.keys() - made.keys() - OPTIONAL]
        problems += [f"unexpected package {more}" for more in made.keys() - PACKAGES.keys()]
        owner = {}
        for package in sorted(made.keys() & PACKAGES.keys()):
            check_one(package, made[package], owner, problems)
            subprocess.run(["dpkg-deb", "--extract", made[package], work / "root"], check=True)
        if not problems:
            usr = work / "root/usr"
            environment = os.environ | {"PKG_CONFIG_PATH": str(usr / "lib/pkgconfig"),
                                        "LD_LIBRARY_PATH": str(usr / "lib")}
            flags = output("pkg-config", "--cflags", "--libs", "gossamer", env=environment).split()
            program = work / "consumer"
            subprocess.run(["cc", root / "tests/consumer/main.c", *flags, "-o", program], check=True)
            print(output(program, env=environment), end="")
            subprocess.run([usr / "bin/all_reduce_perf", "--help"], check=True, env=environment,
                           stdout=subprocess.DEVNULL)
    print("\n".join(problems) if problems else f"{len(made)} packages: {', '.join(sorted(made))}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

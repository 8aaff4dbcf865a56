#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""check_abi.py ROOT --cc CC --library LIB: what programs are compiled and linked against has not changed
unnoticed: exported functions, sizes of structures with the places of their members, values of enumerators.

tests/lint/abi.txt is the record. --write brings it up to date, for a change that is meant; what has been
released may be added to (functions, enumerators, members at the ends of structures that begin with
their size) but not changed, unless the library gets another soname.
"""

import argparse
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

HEADERS = ("gossamer.h", "adaptive.h", "compression.h", "gossip.h")


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)


def members(body):
    """Names of the members of a structure; only what C's declarations here look like."""
    names = []
    for declaration in body.split(";"):
        function = re.search(r"\(\*(\w+)\)", declaration)
        plain = re.search(r"(\w+)\s*(\[[^\]]*\])?\s*$", declaration)
        if declaration.strip():
            names.append(function.group(1) if function else plain.group(1))
    return names


def program(text):
    lines = []
    for body, name in re.findall(r"typedef struct\s*\{(.*?)\}\s*(goss\w+);", text, re.DOTALL):
        lines.append(f'printf("struct {name} size %zu\\n", sizeof({name}));')
        for member in members(body):
            lines.append(f'printf("struct {name} {member} at %zu\\n", offsetof({name}, {member}));')
    for body, name in re.findall(r"typedef enum\s*\{(.*?)\}\s*(goss\w+);", text, re.DOTALL):
        for enumerator in re.findall(r"\bgoss\w+", re.sub(r"=[^,]*", "", body)):
            lines.append(f'printf("enum {name} {enumerator} = %lld\\n", (long long){enumerator});')
    includes = "".join(f"#include <gossamer/{header}>\n" for header in HEADERS)
    return (f"#include <stdio.h>\n{includes}int main(void) {{\n" + "\n".join(lines) + "\nreturn 0;\n}\n",
            len(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    text = "".join(without_comments(path.read_text())
                   for path in sorted((args.root / "include/gossamer").glob("*.h")) if "mpi" not in path.name)
    source, facts = program(text)
    with tempfile.TemporaryDirectory() as name:
        binary = pathlib.Path(name) / "abi"
        subprocess.run([args.cc, "-x", "c", "-", f"-I{args.root}/include", "-o", binary], input=source, text=True,
                       check=True)
        layout = subprocess.run([binary], check=True, capture_output=True, text=True).stdout.splitlines()
    symbols = subprocess.run(["nm", "--dynamic", "--defined-only", "--format=posix", args.library], check=True,
                             capture_output=True, text=True).stdout
    functions = [f"function {line.split()[0].split('@')[0]}" for line in symbols.splitlines()]
    new = sorted(functions) + layout
    record = args.root / "tests/lint/abi.txt"
    if args.write:
        record.write_text("\n".join(new) + "\n")
        return 0
    old = record.read_text().splitlines()
    difference = list(difflib.unified_diff(old, new, "abi.txt", "header and library", n=0, lineterm=""))
    print("\n".join(difference) if difference else f"{len(functions)} functions, {facts} facts of types")
    if difference:
        print("if that is meant: check_abi.py --write, and think of programs that are already compiled")
    return 1 if difference or not facts else 0


if __name__ == "__main__":
    sys.exit(main())

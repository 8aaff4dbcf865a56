#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""A library exports every function of its headers, and nothing else."""

import re
import subprocess
import sys


def main():
    library, *headers = sys.argv[1:]
    header = " and ".join(headers)
    declared = set()
    for name in headers:
        with open(name, encoding="utf-8") as file:
            declared |= set(re.findall(r"^GOSS_API\b[^;]*?\b(goss\w+)\(", file.read(), re.MULTILINE))
    output = subprocess.run(["nm", "--dynamic", "--defined-only", "--format=posix", library],
                            check=True, capture_output=True, text=True).stdout
    exported = {line.split()[0].split("@")[0] for line in output.splitlines()}
    for name in sorted(exported - declared):
        print(f"{library} exports {name}, which {header} does not declare")
    for name in sorted(declared - exported):
        print(f"{header} declares {name}, which {library} does not export")
    print(f"{len(exported)} exported, {len(declared)} declared")
    return 0 if declared and exported == declared else 1


if __name__ == "__main__":
    sys.exit(main())

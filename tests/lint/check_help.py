#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""check_help.py FOLDER: every program in it says what it does and which flags it has, with --help."""

import os
import pathlib
import subprocess
import sys


def main():
    folder = pathlib.Path(sys.argv[1])
    programs = [path for path in sorted(folder.iterdir()) if path.is_file() and os.access(path, os.X_OK)]
    silent = []
    for program in programs:
        done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30)
        if done.returncode != 0 or "--" not in done.stdout or len(done.stdout.splitlines()) < 5:
            silent.append(program.name)
            print(f"{program.name} --help: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"{len(programs)} programs, {len(silent)} without help")
    return 1 if silent or not programs else 0


if __name__ == "__main__":
    sys.exit(main())

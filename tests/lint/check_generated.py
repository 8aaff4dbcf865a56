#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The generated parts of docs/ equal what the tables in the source say; --write makes it so."""

import difflib
import pathlib
import re
import subprocess
import sys


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    write = sys.argv[3:] == ["--write"]

    def text(what):
        return subprocess.run([program, what], check=True, capture_output=True, text=True).stdout

    environment = root / "docs/environment.md"
    algorithms = root / "docs/algorithms.md"
    table = f"<!-- registry -->\n{text('algorithms')}<!-- end of registry -->"
    wanted = {
        environment: text("environment"),
        algorithms: re.sub(r"<!-- registry -->\n.*?<!-- end of registry -->", lambda _: table,
                           algorithms.read_text(), flags=re.DOTALL),
    }
    stale = 0
    for path, new in wanted.items():
        old = path.read_text() if path.exists() else ""
        if table not in wanted[algorithms]:
            sys.exit(f"{algorithms}: the markers of the generated table are missing")
        if old != new and write:
            path.write_text(new)
            print(f"wrote {path}")
        elif old != new:
            stale += 1
            print("\n".join(difflib.unified_diff(old.splitlines(), new.splitlines(), str(path),
                                                 "the source", lineterm="")))
    if stale:
        print("stale: run scripts/gen_env_doc.sh")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

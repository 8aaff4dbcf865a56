#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Documentation points at things that exist.

Links to files and headings; paths in backquotes; variables named GOSS_*; every result code has its
section in docs/errors.md; CONTRIBUTING.md stays short.
"""

import pathlib
import re
import sys

# In backquotes, but made by builds and runs.
MADE = ("build", "lib", "perf/results", "/")


def heading_anchors(text):
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    anchors = set()
    for title in re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        anchors.add(slug)
    return anchors


def known_variables(root):
    text = "".join((root / name).read_text() for name in (
        "src/base/env.cpp", "include/gossamer/gossamer.h", "include/gossamer/adaptive.h",
        "include/gossamer/compression.h", "include/gossamer/gossip.h", "include/gossamer/parameters.h",
        "include/gossamer/recovery.h",
        "include/gossamer/window.h", "CMakeLists.txt", "cmake/GossamerWarnings.cmake",
        "tests/support/test_scale.h", "tests/api/large_test.cpp", "src/base/status.h",
        "src/base/result.h"))
    return set(re.findall(r"\bGOSS_[A-Z0-9_]+\b", text))


def main():
    root = pathlib.Path(sys.argv[1])
    pages = sorted(root.glob("*.md")) + sorted((root / "docs").rglob("*.md"))
    pages += sorted((root / "perf").rglob("*.md"))
    variables = known_variables(root)
    problems = []
    for page in pages:
        name = page.relative_to(root)
        text = page.read_text()
        prose = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.DOTALL)
        for number, line in enumerate(prose.splitlines(), 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", line):
                if re.match(r"[a-z]+://|mailto:", target):
                    continue
                path, _, anchor = target.partition("#")
                goal = (page.parent / path).resolve() if path else page
                if not goal.exists():
                    problems.append(f"{name}:{number}: no such file: {target}")
                elif anchor and anchor not in heading_anchors(goal.read_text()):
                    problems.append(f"{name}:{number}: no such heading: {target}")
            for path in re.findall(r"`([\w.\-]+(?:/[\w.\-]+)+/?)`", line):
                local = [page.parent, root, root / "src", root / "include"]
                if not path.startswith(MADE) and not any((b / path).exists() for b in local):
                    problems.append(f"{name}:{number}: no such file: {path}")
            for variable in re.findall(r"\bGOSS_[A-Z0-9_]+\b", line):
                if variable not in variables and not variable.endswith("_"):
                    problems.append(f"{name}:{number}: nothing is called {variable}")
    header = (root / "include/gossamer/gossamer.h").read_text()
    codes = re.search(r"typedef enum \{([^}]*)\} gossResult_t;", header).group(1)
    errors = (root / "docs/errors.md").read_text()
    for code in re.findall(r"^\s*(goss\w+) =", codes, re.MULTILINE):
        if code != "gossNumResults" and f"## {code}" not in errors:
            problems.append(f"docs/errors.md: no section about {code}")
    if (root / "CONTRIBUTING.md").read_text().count("\n") > 100:
        problems.append("CONTRIBUTING.md: more than 100 lines")
    print("\n".join(problems))
    print(f"{len(pages)} pages, {len(problems)} problems")
    return 1 if problems or not pages else 0


if __name__ == "__main__":
    sys.exit(main())

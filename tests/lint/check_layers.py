#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The rules of the house that a text search can hold: which folder may include what, and a few more.

Reads `#include` lines and source text; needs no compiler and no build. Prints every violation as
"file:line: rule: what is wrong (what is allowed)" and the ten longest files; exits 1 on a violation.
The rules are in tables at the top. check_layers_test.py proves that each of them bites.
"""

import argparse
import pathlib
import re
import sys

PUBLIC = "gossamer"  # include/gossamer

# Folder -> prefixes of repository headers that it may include. The longest matching folder counts.
LAYERS = {
    # gossamer.h ends with the parts of the API that are files of their own.
    "include/gossamer": ["gossamer/gossamer.h", "gossamer/parameters.h", "gossamer/recovery.h",
                         "gossamer/reduction.h", "gossamer/window.h"],
    "src/base": ["base", "gossamer/gossamer.h"],
    "src/device": ["base", "device"],
    "src/collectives": ["base", "collectives"],
    # Plans of training are values: no communicator, no device.
    "src/adaptive": ["base", "adaptive", PUBLIC],
    "src/mixing": ["base", "mixing"],
    "src/reduce": ["base", "reduce"],
    "src/topology": ["base", "topology"],
    "src/quant": ["base", "quant"],
    "src/quant/gpu": ["base", "quant", "device"],
    # A transport may not include another transport: the folder of each is added below.
    "src/transport": ["base", "device", "transport"],
    # The engine sees of a transport what is made for it, not its sockets and frames.
    "src/engine": ["base", "device", "collectives", "mixing", "reduce", "quant", "topology",
                   "engine", "gossamer/compression.h",
                   "transport/messenger.h", "transport/registry.h", "transport/hmac.h", "transport/shm",
                   "transport/bootstrap/bootstrap.h", "transport/bootstrap/unique_id.h",
                   "transport/bootstrap/fork_guard.h", "transport/bootstrap/process_token.h"],
    # The matrices of gossip schedules are for users only; the engine has no use for them.
    "src/api": ["base", "adaptive", "engine", "api", "collectives/gossip_matrix.h", PUBLIC],
    "bindings": [PUBLIC],
    "examples": [PUBLIC],
    # Tools are users: they see what users see. perf/bench times inner loops that users do not see.
    "perf": [PUBLIC, "perf"],
    "perf/bench": [PUBLIC, "perf", "bench", "base", "device", "collectives", "mixing", "reduce", "quant", "engine",
                   "transport"],
    # goss-info shows what the library sees of a machine.
    "tools": [PUBLIC, "tools", "topology", "base"],
    # The trainer is a user, too.
    "trainer": [PUBLIC],
    # A model of schedules on a network needs the schedules, and no library.
    "perf/scaling": ["base", "collectives"],
    # A test sees what the code it tests sees (added below), and tests/support.
    "tests": ["support", PUBLIC],
    "tests/support": ["support", "base", "device", "collectives", "transport", "engine", PUBLIC],
    "tests/gpu": ["support", "base", "device", "quant", "tests/gpu", PUBLIC],
    "tests/lint": [PUBLIC, "base", "collectives"],  # doc_text prints their tables
}

# Outside headers (prefixes) -> the only places that may include them, and why.
OUTSIDE = {
    "hwy/": (["src/mixing", "src/quant", "src/reduce", "src/base/isa.cpp", "src/base/simd_targets.h", "tests/quant",
              "tests/reduce"],
             "vector code lives there"),
    "immintrin.h": (["src/quant/x86", "src/reduce/x86", "perf"], "use Highway"),
    "arm_neon.h": (["src/quant/arm"], "use Highway"),
    "openssl/": (["src/transport/hmac.cpp", "tests/transport"], "use transport/hmac.h"),
    "hwloc": (["src/topology"], "use topology/read.h"),
    "mpi.h": (["include/gossamer/gossamer_mpi.h", "src/api/mpi.cpp", "perf", "tools", "tests/api"],
              "the library must not need MPI"),
    "ucp/": (["src/transport/ucx"], "UCX is a module"),
    "ucs/": (["src/transport/ucx"], "UCX is a module"),
    "hip/": (["src/device/gpu_runtime.h"], "GPU runtimes are behind src/device"),
    "cuda": (["src/device/gpu_runtime.h"], "GPU runtimes are behind src/device"),
    "torch/": (["bindings/python", "trainer/networks.h", "trainer/networks.cpp",
                "trainer/torch_model.cpp", "trainer/examples"],
               "the library must not need torch, and it compiles slowly"),
}

# Folders that must stay pure: no clocks, threads, chance or output.
NOT_PURE = ["thread", "mutex", "chrono", "random", "cstdio", "condition_variable", "atomic", "iostream",
            "fstream", "future"]
PURE = {"src/collectives": NOT_PURE, "src/adaptive": NOT_PURE}
PUBLIC_C_HEADERS = ["stddef.h", "stdint.h", "mpi.h", *LAYERS["include/gossamer"]]

# Collectives, whose documentation has these six lines in this order.
SIX_LINES = ["Shapes", "Units", "Alias", "Order", "Exact", "Errors"]
COLLECTIVES = {"gossAllReduce", "gossBroadcast", "gossReduce", "gossAllGather", "gossReduceScatter",
               "gossAlltoAll", "gossGather", "gossScatter", "gossBarrier"}

MAX_LINES = 600
MAX_COLUMNS = 100
CODE = {".h", ".cpp", ".c", ".hip"}
SPDX_ALSO = {".py", ".sh", ".cmake"}
SEARCHED = ["include", "src", "bindings", "examples", "trainer", "perf", "tools", "tests", "scripts", "cmake", ".ci"]
SHARED = re.compile(r"//.*\bshared: \S")


class House:
    """The files of one tree, and the violations found in them."""

    def __init__(self, root):
        self.root = root
        self.text = {}
        self.violations = []
        for top in SEARCHED:
            for path in sorted((root / top).rglob("*")):
                if path.is_file() and (path.suffix in CODE | SPDX_ALSO
                                       or path.name == "CMakeLists.txt" or top == ".ci"):
                    name = path.relative_to(root).as_posix()
                    self.text[name] = path.read_text(encoding="utf-8", errors="replace")
        self.code = {name: text for name, text in self.text.items()
                     if pathlib.PurePath(name).suffix in CODE}
        self.headers = {name for name in self.code if name.endswith(".h")}

    def report(self, name, line, rule, message):
        self.violations.append(f"{name}:{line}: {rule}: {message}")


def within(name, places):
    return any(name == place or name.startswith(place.rstrip("/") + "/") for place in places)


def strip(text):
    """The text without comments and string contents, lines kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
    return re.sub(pattern, blank, text, flags=re.DOTALL)


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1) == '"', match.group(2)


def allowed_for(name):
    """What the file may include of this repository, or None where no rule holds."""
    folders = [folder for folder in LAYERS if within(name, [folder])]
    if not folders:
        return None
    folder = max(folders, key=len)
    allowed = list(LAYERS[folder])
    parts = name.split("/")
    if folder == "tests" and len(parts) > 2:
        mirrored = "src/" + "/".join(parts[1:-1])
        allowed += allowed_for(mirrored + "/x.cpp") or []
        allowed += [parts[1], "tests/" + parts[1]]
    if folder == "src/transport" and len(parts) > 3:
        allowed.remove("transport")
        allowed += ["transport/" + parts[2], "transport/messages", "transport/messenger.h",
                    "transport/module.h", "transport/hmac.h"]
    return allowed


def check_includes(house):
    for name, text in house.code.items():
        allowed = allowed_for(name)
        for line, quoted, target in includes(text):
            ours = f"src/{target}" in house.code or f"include/{target}" in house.code
            if ours and allowed is not None and not within(target, allowed):
                house.report(name, line, "layers", f"may not include {target} (allowed: "
                             f"{', '.join(sorted(set(allowed)))})")
            if name.startswith("src/") and quoted and not ours:
                house.report(name, line, "includes", f'"{target}" is no header of this repository '
                             "(write <...> for others; paths are relative to src/ or include/)")
            if name.startswith("include/") and target not in PUBLIC_C_HEADERS:
                house.report(name, line, "public headers", f"may not include {target} (allowed: "
                             f"{', '.join(PUBLIC_C_HEADERS)})")
            for prefix, (places, why) in OUTSIDE.items():
                outside = not ours and target.startswith(prefix)
                if outside and not within(name, places) and not within(name, ["perf/peers"]):
                    house.report(name, line, "outside headers", f"may not include {target}: {why} "
                                 f"(allowed in: {', '.join(places)})")
            for folder, banned in PURE.items():
                if within(name, [folder]) and target in banned:
                    house.report(name, line, "purity", f"{folder} may not include <{target}>: "
                                 f"it is pure (refused: {', '.join(banned)})")


def check_cycles(house):
    graph = {}
    for name in house.headers:
        graph[name] = [f"src/{target}" for _, _, target in includes(house.code[name])
                       if f"src/{target}" in house.headers]
    done = set()

    def visit(name, path):
        if name in path:
            cycle = path[path.index(name):] + [name]
            house.report(name, 1, "cycles", " -> ".join(cycle) + " (headers include downwards only)")
        elif name not in done:
            for target in graph[name]:
                visit(target, path + [name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])


def check_words(house):
    ends = r"(?:(?:^|[;{}()]|\belse|\breturn)\s*|std::|(?<![\w:>.])::)(_?exit|_Exit|quick_exit|abort)\s*\("
    for name, text in house.code.items():
        bare = strip(text).splitlines()
        lines = text.splitlines()
        for number, line in enumerate(bare, 1):
            if name.startswith("src/"):
                if re.search(r"\b(?:secure_getenv|getenv|setenv|putenv|unsetenv)\s*\(", line) \
                        and name != "src/base/env.cpp":
                    house.report(name, number, "environment",
                                 "reads the environment (allowed in: src/base/env.cpp)")
                if re.search(ends, line) and not within(name, ["src/base"]):
                    house.report(name, number, "exit", "a library does not end its process "
                                 "(allowed in: src/base; write this->abort() for a member)")
                if "shared_ptr<" in line and not SHARED.search(lines[number - 1]) \
                        and not (number > 1 and SHARED.match(lines[number - 2].strip())):
                    house.report(name, number, "shared_ptr",
                                 "needs a comment `// shared: ...` that names the second owner, "
                                 "behind it or on the line before")
            if name.endswith(".h") and re.search(r"\busing\s+namespace\b", line):
                house.report(name, number, "using namespace", "not in a header")
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                house.report(name, number, "columns", f"{len(line)} (allowed: {MAX_COLUMNS})")


def check_files(house):
    for name, text in house.text.items():
        lines = text.count("\n")
        if lines > MAX_LINES:
            house.report(name, lines, "length", f"{lines} lines (allowed: {MAX_LINES})")
        head = "\n".join(text.splitlines()[:4])
        if "SPDX-License-Identifier: Apache-2.0" not in head or "SPDX-FileCopyrightText:" not in head:
            house.report(name, 1, "SPDX", "needs the two SPDX lines in its first four lines")


def check_documented(house):
    """A comment covers the declarations below it up to the next empty line."""
    for name, text in house.code.items():
        if not name.startswith("include/"):
            continue
        for block in re.finditer(r"(?:[^\n]+\n)+", text):
            functions = re.findall(r"^GOSS_API\b[^;]*?\b(goss\w+)\(", block.group(0), re.MULTILINE)
            first = block.group(0).find("GOSS_API ")
            line = text.count("\n", 0, block.start() + max(first, 0)) + 1
            comments = re.findall(r"/\*\*.*?\*/", block.group(0)[:max(first, 0)], re.DOTALL)
            if functions and not comments:
                house.report(name, line, "documentation", f"{', '.join(functions)}: no /** ... */ "
                             "directly before")
            if COLLECTIVES & set(functions):
                found = re.findall(r"^ \* (\w+)   *\S", comments[-1] if comments else "", re.MULTILINE)
                if [word for word in found if word in SIX_LINES] != SIX_LINES:
                    house.report(name, line, "documentation", f"{functions[0]}: needs the lines "
                                 f"{', '.join(SIX_LINES)}, in this order")


def check_tested(house):
    """Every src/**/X.cpp is built, and has tests/**/X_test.cpp or a reason in untested.txt."""
    lists = "".join(text for name, text in house.text.items() if name.startswith("src/")
                    and name.endswith(".cmake"))
    top = house.root / "CMakeLists.txt"
    lists += top.read_text(encoding="utf-8") if top.exists() else ""
    allow = "tests/lint/untested.txt"
    excused = {}
    if (house.root / allow).exists():
        for number, line in enumerate((house.root / allow).read_text().splitlines(), 1):
            if line.strip() and not line.startswith("#"):
                name, _, reason = line.partition(" ")
                excused[name] = number
                if not reason.strip():
                    house.report(allow, number, "tests", f"{name}: needs a reason behind it")
    for name in house.code:
        if not name.startswith("src/") or not name.endswith(".cpp"):
            continue
        if not re.search(rf"(?<![\w/]){re.escape(name[len('src/'):])}\b|{re.escape(name)}", lists):
            house.report(name, 1, "build", "is in no list of sources, so it is never compiled")
        test = "tests/" + name[len("src/"):-len(".cpp")] + "_test.cpp"
        if test in house.code and name in excused:
            house.report(allow, excused[name], "tests", f"{name} has a test now: delete the line")
        if test not in house.code and name not in excused:
            house.report(name, 1, "tests", f"has no test (wanted: {test}, or a line in {allow})")
    for name in house.code:
        folder, _, file = name.rpartition("/")
        built = house.text.get(f"{folder}/CMakeLists.txt", "")
        if name.startswith("tests/") and file.endswith("_test.cpp") and file not in built:
            house.report(name, 1, "build", f"is not in {folder}/CMakeLists.txt, so it never runs")
    for name, number in excused.items():
        if name not in house.code:
            house.report(allow, number, "tests", f"{name} does not exist: delete the line")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=pathlib.Path, help="top of the source tree")
    house = House(parser.parse_args().root.resolve())
    if not house.code:
        print(f"no source files under {house.root}")
        return 1
    for check in (check_includes, check_cycles, check_words, check_files, check_documented,
                  check_tested):
        check(house)
    for violation in house.violations:
        print(violation)
    longest = sorted(house.text, key=lambda name: -house.text[name].count("\n"))[:10]
    print("longest files: " + ", ".join(
        f"{name} {house.text[name].count(chr(10))}" for name in longest))
    print(f"{len(house.text)} files, {len(house.violations)} violations")
    return 1 if house.violations else 0


if __name__ == "__main__":
    sys.exit(main())

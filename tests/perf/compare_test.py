#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""compare.py --check: what must fail fails, with a program of our own in place of Gossamer.

usage: compare_test.py FOLDER_OF_COMPARE
"""
import contextlib
import io
import pathlib
import sys
import tempfile
from unittest import mock

sys.path.insert(0, sys.argv[1])
import compare  # pylint: disable=import-error,wrong-import-position

GOOD = """for file; do :; done
echo '{"results": [{"out_of_place": {"time": 2.0, "nwrong": 0}}]}' >"$file" """
WRONG = GOOD.replace('"nwrong": 0', '"nwrong": 3')


def four_ranks(script):
    """With 4 ranks `script`, else a good result."""
    return f'case "$*" in *"--procs 4"*) {script}; exit ;; esac\n{GOOD}'


def recorded(us, ranks=2, state="unknown"):  # without limit nobody knows the distance
    return {"program": "gossamer", "machine": compare.machine(), "ranks": str(ranks), "bytes": "8",
            "state": state, "median_us": str(us), "commit": "abc"}


def check(script, history):
    """The exit status of --check, and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        tool = pathlib.Path(folder) / "perf" / "all_reduce_perf"
        tool.parent.mkdir()
        tool.write_text("#!/bin/sh\n" + script)
        tool.chmod(0o755)
        arguments = ["compare.py", "--check", "--build", folder, "--out", folder, "--ranks", "2,4",
                     "--sizes", "8", "--rounds", "1", "--timeout", "1", "--programs", "gossamer"]
        said = io.StringIO()
        with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(said), \
             mock.patch.object(compare, "read_history", lambda _: history):
            return compare.main(), said.getvalue()


def asked(*arguments):
    """The programs and sizes that these arguments ask for."""
    with mock.patch.object(sys, "argv", ["compare.py", *arguments]):
        options = compare.parse_arguments()
    return options.programs, options.sizes


def main():
    cases = (
        ("as recorded", GOOD, [recorded(2.0)], 0, "1 recorded points, 0 found wrong"),
        ("nothing recorded", GOOD, [], 0, "nothing is recorded"),
        ("another state", GOOD, [recorded(1.0, state="near")], 0, "not in this state"),
        ("worse", GOOD, [recorded(1.5)], 1, "WORSE: 2 ranks"),
        ("not asked for", GOOD, [recorded(1.0, ranks=8)], 0, "nothing is recorded"),
        ("exit status", four_ranks("exit 1"), [recorded(2.0)], 1, "FAILED: 4 ranks"),
        ("crash", four_ranks("kill -11 $$"), [recorded(2.0)], 1, "exit status -11"),
        ("hang", four_ranks("sleep 60"), [recorded(2.0)], 1, "no result within"),
        ("wrong result", four_ranks(WRONG), [], 1, "3 wrong elements"),
    )
    failures = 0
    if compare.check([], {}, {(2, 8, "near"): recorded(1.0)}) != 1:
        failures += 1
        print("FAILED: a recorded point without any sample")
    with mock.patch.dict("os.environ", PATH="/nonexistent"):
        if compare.commit() != "unknown":
            failures += 1
            print(f"FAILED: without git the commit is {compare.commit()}")
    mpis = ["gossamer", "openmpi", "mpich"]
    for arguments, expected in (
            (("--collective", "all_gather", "--sizes", "8,8K"), (mpis, [64, 8192])),
            (("--collective", "gather", "--sizes", "8,16", "--ranks", "2"), (mpis, [32])),
            (("--collective", "sendrecv", "--sizes", "8"), (mpis, [8])),
            (("--collective", "broadcast", "--sizes", "8"), (list(compare.PROGRAMS), [8]))):
        if asked(*arguments) != expected:
            failures += 1
            print(f"FAILED: {arguments}: {asked(*arguments)}, not {expected}")
    for name, script, history, status, words in cases:
        got, said = check(script, history)
        if got != status or words not in said:
            failures += 1
            print(f"FAILED: {name}: status {got}, not {status}, or no {words!r} in:\n{said}")
    print(f"{failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

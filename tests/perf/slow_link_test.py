#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""slow_link.py: a short run over two hosts, its figures, and what it says where there can be none.

usage: slow_link_test.py FOLDER_OF_SCRIPT BUILD_FOLDER
"""
import contextlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

sys.path.insert(0, sys.argv[1])
import slow_hosts  # pylint: disable=import-error,wrong-import-position
import slow_link  # pylint: disable=import-error,wrong-import-position


def says_why_there_are_no_hosts():
    said = io.StringIO()
    with mock.patch.object(sys, "argv", ["slow_link"]), contextlib.redirect_stderr(said), \
            mock.patch.object(slow_link, "missing", lambda: "no root here"):
        assert slow_link.main() == slow_link.SKIPPED
    assert "skipped: no root here" in said.getvalue(), said.getvalue()


def compares_with_the_bound_and_the_best_peer():
    assert slow_link.WIRE["all_reduce"](2) == 1 and slow_link.WIRE["all_gather"](4) == 0.75
    options = mock.Mock(collective="all_reduce", programs=["gossamer", "openmpi", "gloo"])
    row = {"hosts": 2, "per_host": 1, "gbits": 1, "bytes": 1 << 20, "bound_us": 9000.0,
           "stream_bytes_per_s": 1e8, "median_us": {"gossamer": 10000.0, "openmpi": 15000.0,
                                                    "gloo": 12000.0}}
    line = slow_link.table([row], options).splitlines()[-1]
    assert line.split()[-3:] == ["0.900", "1.20x", "(gloo)"], line


def names_of_namespaces():
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False)
    return listed.stdout


def measures_over_two_hosts(build):
    before = names_of_namespaces()
    with tempfile.TemporaryDirectory() as out:
        arguments = ["slow_link", "--hosts", "2", "--rates", "1", "--sizes", "8,64K", "--rounds", "1",
                     "--block-ms", "5", "--programs", "gossamer", "--codecs", "int8", "--build", build,
                     "--out", out]
        with mock.patch.object(sys, "argv", arguments):
            assert slow_link.main() == 0
        file = pathlib.Path(out) / "slow_link_all_reduce.json"
        rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
    assert [row["bytes"] for row in rows] == [8, 65536]
    for row in rows:
        assert row["stream_bytes_per_s"] > 0 and row["median_us"]["gossamer"] > 0, row
        assert row["median_us"]["int8"] > 0, row
    figures = rows[1]["compression"]["int8"]
    assert rows[0]["compression"] == {} and 16384 < figures["wire_bytes"] < 18000, figures
    assert 0 < figures["max_error"] <= figures["bound"] and figures["nmse"] < 1e-3, figures
    assert names_of_namespaces() == before


def main():
    says_why_there_are_no_hosts()
    compares_with_the_bound_and_the_best_peer()
    reason = slow_hosts.missing()
    if reason:
        print(f"no hosts here: {reason}")
        return 77
    measures_over_two_hosts(sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())

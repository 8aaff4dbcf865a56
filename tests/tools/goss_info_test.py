#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""goss_info_test.py GOSS_INFO FIXTURES GROUP: goss-info as a program. Skips where there is no mpirun."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

TOOL, FIXTURES = sys.argv[1], pathlib.Path(sys.argv[2])
MINE = {name: value for name, value in os.environ.items() if not name.startswith(("GOSS_", "UCX_"))}


def run(*arguments, code=0, **variables):
    done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=MINE | variables)
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def check(holds, what):
    assert holds, what


def test_files():
    text = run("--topology", FIXTURES / "mi300x_8.xml", "--ranks", 8)
    for line in ("host mi300x: 64 CPUs (0-63), 64 cores", "xGMI, 64 GB/s between any two",
                 "L3 caches: 16 of 32 MiB, each of 4 CPUs", "in a ring: 0 1 2 3 4 5 6 7",
                 "for the host speaks 0, for memory nodes 0 (node 0), 4 (node 1)"):
        check(line in text, f"{line!r} is not in\n{text}")
    check(re.search(r"5: GPU rsmi5, .*slots on memory node 1; nearest adapter mlx5_5, behind the same",
                    text), text)
    host = json.loads(run("--json", "--topology", FIXTURES / "cpu_2s.xml", "--ranks", 4))["hosts"][0]
    check(len(host["memory_nodes"]) == 4 and host["gpus"] == [], host)
    check(host["placement"]["leader"] == 2, host["placement"])  # at the node of the fast adapter
    check([rank["slots_on_memory_node"] for rank in host["placement"]["ranks"]] == [0, 1, 2, 3], host)
    crowded = json.loads(run("--json", "--topology", FIXTURES / "cpu_2s.xml", "--ranks", 200))
    check(crowded["hosts"][0]["placement"]["crowded"], "200 ranks on 128 CPUs")
    text = run("--topology", FIXTURES / "h200_8.xml")
    check("NVLink, 450 GB/s between any two" in text and "ranks" not in text, text)
    with tempfile.TemporaryDirectory() as folder:
        broken = pathlib.Path(folder) / "broken.xml"
        whole = (FIXTURES / "h200_8.xml").read_text()
        for content in ("", "no XML", whole[:5000]):
            broken.write_text(content)
            check(str(broken) in run("--topology", broken, code=1), content[:20])
        check("nowhere.xml" in run("--topology", "/nowhere.xml", code=1), "a missing file")
    run("--ranks", 3, code=2)
    run("--unknown", code=2)


def check_paths(said, n, by):
    check(said["ranks"] == n and len(said["paths"]) == n, said)
    check(len(said["all_reduce"]) == 2, said)
    for path in said["paths"]:
        for peer in path["peers"]:
            wanted = "nothing" if peer["rank"] == path["rank"] else by
            check(peer["by"] == wanted and peer["why"], peer)


def start(n, *arguments, **variables):
    """n ranks by the environment; what they print."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ranks = []
    for rank in range(n):
        environment = MINE | {"GOSS_RANK": str(rank), "GOSS_NRANKS": str(n), "GOSS_PORT": port,
                              "GOSS_INIT_TIMEOUT": "30s"} | variables
        ranks.append(subprocess.Popen([TOOL, *arguments], stdout=subprocess.PIPE, text=True,
                                      env=environment))
    texts = [process.communicate(timeout=60)[0] for process in ranks]
    check([process.returncode for process in ranks] == [0] * n, texts)
    check(texts[1:] == [""] * (n - 1), "only rank 0 prints")
    return texts[0]


def test_ranks():
    alone = run()
    check("host " in alone and "how each rank" not in alone, alone)
    check("GPUs" in alone and "network adapters" in alone, alone)
    said = json.loads(start(3, "--json"))
    check_paths(said, 3, "shared memory")
    check(len(said["hosts"]) == 1 and len(said["hosts"][0]["placement"]["ranks"]) == 3, said)
    check(sorted(said["hosts"][0]["placement"]["ring"]) == [0, 1, 2], said)
    text = start(3)
    check("0 to 1-2: shared memory, a segment of memory on one host" in text, text)
    text = start(2, GOSS_TOPOLOGY_FILE=str(FIXTURES / "h200_8.xml"))
    check("host h200: 64 CPUs" in text, text)
    module = pathlib.Path(TOOL).parent.parent / "lib/gossamer/libgossamer_ucx.so"
    if not module.exists():
        print("without UCX: nothing was built that uses it")
        return
    said = json.loads(start(2, "--json", GOSS_TRANSPORT="ucx", UCX_TLS="tcp"))
    check_paths(said, 2, "messages")
    for path in said["paths"]:
        other = path["peers"][1 - path["rank"]]
        check(re.fullmatch(r"UCX, tcp/\S+(, tcp/\S+)*", other["over"]), other)
        check("GOSS_TRANSPORT=ucx" in other["why"] and "TCP" in other["why"], other)


def test_mpirun():
    mpirun = shutil.which("mpirun.openmpi")
    if mpirun is None:
        print("skipped: there is no mpirun.openmpi")
        return 77
    done = subprocess.run([mpirun, "--oversubscribe", "-np", "2", TOOL, "--json"], timeout=60,
                          capture_output=True, text=True,
                          env=MINE | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    check(done.returncode == 0, done.stdout + done.stderr)
    check_paths(json.loads(done.stdout), 2, "shared memory")
    return 0


if __name__ == "__main__":
    sys.exit({"files": test_files, "ranks": test_ranks, "mpirun": test_mpirun}[sys.argv[3]]())

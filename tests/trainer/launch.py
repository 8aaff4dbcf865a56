# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Starts goss-train on several ranks, for tests."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "trainer" / "report"))
import runs  # noqa: E402

PROGRAM = None
MPIRUN = None
SAMPLES = 1500
# Of validation: fixed and adaptive batches come to .45 and .86, a rank that does not hear of the
# others to 2.2, no training to log(10) = 2.3.
BOUND = 1.3
SMALL = {"--data": "glyphs", "--network": "lenet", "--train": SAMPLES, "--validation": 300,
         "--test": 300, "--epochs": 4, "--batch-warmup": 1, "--batches": "16,32,64", "--lr": 0.005}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def words(options):
    """SMALL with other options, as a command line; None: a flag without a value."""
    return [str(word) for option in {**SMALL, **options}.items() for word in option
            if word is not None]


def start(ranks, options):
    """The processes of a run, by environment start."""
    common = dict(os.environ, GOSS_NRANKS=str(ranks), GOSS_ADDR="127.0.0.1",
                  GOSS_PORT=str(free_port()))
    return [subprocess.Popen([PROGRAM, *words(options)], env=dict(common, GOSS_RANK=str(rank)),
                             text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
            for rank in range(ranks)]


def mpirun_environment():
    return dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def finish(processes, timeout=100):
    """Exit codes, and standard error of all."""
    errors = [process.communicate(timeout=timeout)[1] for process in processes]
    return [process.returncode for process in processes], "".join(errors)


def steady(run):
    """Everything in a log that does not depend on the clock."""
    clock = {"step_s", "exposed_s", "evaluate_s"}
    return ([{k: v for k, v in epoch.items() if k not in clock} for epoch in run.epochs], run.end)


class TrainerCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def train(self, ranks, **options):
        log = self.folder / "log.jsonl"
        dashed = {"--" + name.replace("_", "-"): value for name, value in options.items()}
        codes, errors = finish(start(ranks, {**dashed, "--log": log}))
        self.assertEqual(codes, [0] * ranks, errors)
        return runs.read_run(log)

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def wait_for_checkpoint(self):
        self.wait_until(lambda: list(self.folder.glob("checkpoints/*/manifest.json")),
                        "no checkpoint appears")

    def wait_for_epochs(self, log, count):
        self.wait_until(lambda: log.exists() and log.read_text().count('"type":"epoch"') >= count,
                        "the log does not grow")


def main():
    """Program, mpirun or "", then the arguments of unittest."""
    global PROGRAM, MPIRUN
    PROGRAM, MPIRUN = sys.argv[1:3]
    unittest.main(module="__main__", argv=sys.argv[:1] + sys.argv[3:])

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""goss-train as a program, on several ranks: what is counted, what is learnt, what survives a kill."""

import math
import os
import pathlib
import random
import re
import signal
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
# Of validation: the two arms come to .45 and .86, a rank that does not hear of the others to 2.2,
# no training to log(10) = 2.3.
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


def finish(processes, timeout=100):
    """Exit codes, and standard error of all."""
    errors = [process.communicate(timeout=timeout)[1] for process in processes]
    return [process.returncode for process in processes], "".join(errors)


def steady(run):
    """Everything in a log that does not depend on the clock."""
    clock = {"step_s", "exposed_s", "evaluate_s"}
    return ([{k: v for k, v in epoch.items() if k not in clock} for epoch in run.epochs], run.end)


def updates_of(mode):
    """The formula: an update per batch; samples of a bucket over its batch size, rounded up."""
    fixed = math.ceil(SAMPLES / 16)
    if mode == "fixed":
        return [fixed] * 4
    quarter = SAMPLES // 4
    bucketed = sum(math.ceil(n / b) for n, b in [(quarter, 16), (quarter, 32), (2 * quarter, 64)])
    return [fixed] + [bucketed] * 3


class GossTrain(unittest.TestCase):
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

    def wait_for_checkpoint(self):
        deadline = time.monotonic() + 60
        while not list(self.folder.glob("checkpoints/*/manifest.json")):
            self.assertLess(time.monotonic(), deadline, "no checkpoint appears")
            time.sleep(0.05)

    def test_updates_and_bytes_equal_the_formula_and_the_loss_its_bound(self):
        for mode in ("fixed", "adaptive"):
            run = self.train(2, mode=mode)
            updates = updates_of(mode)
            update_bytes = 4 * run.header["parameters"]
            self.assertEqual(run.column("updates"), updates)
            self.assertEqual(run.column("messages"), updates)
            self.assertEqual(run.column("payload_bytes"), [u * update_bytes for u in updates])
            self.assertEqual(run.end["updates"], sum(updates))
            self.assertEqual(run.end["payload_bytes"], sum(updates) * update_bytes)
            self.assertLess(run.epochs[-1]["validation_loss"], BOUND)

    def test_the_bound_is_missed_by_a_rank_that_does_not_hear_of_the_others(self):
        # Half of the samples and of every batch; its sum divided by the batch of both.
        half = self.train(1, mode="fixed", train=SAMPLES // 2, batch=8, lr=0.0025)
        self.assertGreater(half.epochs[-1]["validation_loss"], BOUND)

    def test_two_ranks_compute_what_one_does(self):
        one = self.train(1)
        two = self.train(2)
        self.assertEqual(one.header["initial_weights"], two.header["initial_weights"])
        # Sums in another order: nearly equal losses, not equal ones.
        self.assertAlmostEqual(one.epochs[0]["validation_loss"], two.epochs[0]["validation_loss"],
                               delta=0.001)

    def test_parts_sent_while_the_rest_is_computed_change_no_bit(self):
        whole = self.train(2, bucket_kib=0)
        parts = self.train(2, bucket_kib=64)
        self.assertEqual(whole.end["weights"], parts.end["weights"])
        self.assertEqual(whole.end["payload_bytes"], parts.end["payload_bytes"])
        self.assertEqual(parts.end["messages"], 2 * whole.end["messages"])

    def test_adascale_learns_and_is_not_linear_scaling(self):
        linear = self.train(2)
        ada_scale = self.train(2, lr_rule="adascale")
        self.assertEqual(ada_scale.column("updates"), updates_of("adaptive"))
        self.assertLess(ada_scale.epochs[-1]["validation_loss"], 2)
        self.assertNotEqual(ada_scale.end["weights"], linear.end["weights"])

    def test_micro_batches_learn_the_same(self):
        whole = self.train(1, epochs=1)
        pieces = self.train(1, epochs=1, micro_batch=5)
        self.assertAlmostEqual(whole.epochs[0]["validation_loss"],
                               pieces.epochs[0]["validation_loss"], delta=0.001)

    def test_killed_at_random_moments_and_resumed_is_the_uninterrupted_run(self):
        whole = self.train(2, precision="combined")
        options = {"--precision": "combined", "--log": self.folder / "killed.jsonl",
                   "--checkpoint": self.folder / "checkpoints", "--checkpoint-every": 5,
                   "--resume": None}
        seed = random.randrange(1 << 30)
        print(f"kills: seed {seed}", file=sys.stderr)
        moments = random.Random(seed)
        for _ in range(4):
            processes = start(2, options)
            self.wait_for_checkpoint()
            time.sleep(moments.random())
            for process in processes:
                process.send_signal(signal.SIGKILL)
            finish(processes)
        codes, errors = finish(start(2, options))
        self.assertEqual(codes, [0, 0], errors)
        self.assertEqual(steady(runs.read_run(self.folder / "killed.jsonl")), steady(whole))

    def test_another_run_does_not_touch_checkpoints_and_a_resumed_one_needs_its_log(self):
        options = {"--epochs": 1, "--checkpoint": self.folder / "checkpoints",
                   "--log": self.folder / "run.jsonl"}
        self.assertEqual(finish(start(1, options))[0], [0])
        steps = sorted((self.folder / "checkpoints").iterdir())
        codes, errors = finish(start(1, options))
        self.assertNotEqual(codes, [0])
        self.assertIn("checkpoints of another run", errors)
        self.assertEqual(sorted((self.folder / "checkpoints").iterdir()), steps)
        (self.folder / "run.jsonl").write_text("")
        codes, errors = finish(start(1, dict(options, **{"--resume": None})))
        self.assertIn("not its log", errors)
        self.assertNotEqual(codes, [0])

    def test_sigterm_on_one_rank_leaves_a_checkpoint_of_all(self):
        processes = start(2, {"--epochs": 400, "--checkpoint": self.folder / "checkpoints"})
        self.wait_for_checkpoint()
        processes[1].send_signal(signal.SIGTERM)
        codes, errors = finish(processes)
        self.assertEqual(codes, [3, 3], errors)

    def test_when_a_rank_is_killed_the_others_say_which_and_end_within_five_seconds(self):
        processes = start(2, {"--epochs": 400, "--checkpoint": self.folder / "checkpoints"})
        self.wait_for_checkpoint()
        processes[1].send_signal(signal.SIGKILL)
        begin = time.monotonic()
        codes, errors = finish(processes)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(codes, [1, -signal.SIGKILL])
        self.assertRegex(errors, r"rank 0: .*rank 1")

    def test_under_mpirun(self):
        if not MPIRUN:
            self.skipTest("no mpirun")
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        options = words({"--epochs": 2, "--log": self.folder / "mpi.jsonl"})
        done = subprocess.run([MPIRUN, "-np", "2", "--oversubscribe", PROGRAM, *options], env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(runs.read_run(self.folder / "mpi.jsonl").header["ranks"], 2)
        self.assertRegex(done.stdout, re.compile(r"^epoch   2 .*samples/s", re.MULTILINE))

    def test_mistakes_end_with_two_and_a_sentence(self):
        for args, text in ((["--mode", "best"], "best"), (["--batches", "3"], "--shares")):
            done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    PROGRAM, MPIRUN = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])

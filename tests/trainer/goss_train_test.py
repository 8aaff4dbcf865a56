#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""goss-train as a program, on several ranks: what is counted, what is learnt, what survives a kill."""

import math
import random
import re
import signal
import subprocess
import sys
import time

import launch
from launch import BOUND, SAMPLES, finish, start, steady, words
import runs


def updates_of(mode):
    """The formula: an update per batch; samples of a bucket over its batch size, rounded up."""
    fixed = math.ceil(SAMPLES / 16)
    if mode == "fixed":
        return [fixed] * 4
    quarter = SAMPLES // 4
    bucketed = sum(math.ceil(n / b) for n, b in [(quarter, 16), (quarter, 32), (2 * quarter, 64)])
    return [fixed] + [bucketed] * 3


class GossTrain(launch.TrainerCase):
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

    def test_compressed_gradients_are_as_many_bytes_as_the_codec_has_bits_and_learn(self):
        whole = self.train(2)
        for codec, bits in (("int8", 8.5), ("int3", 3.5)):
            run = self.train(2, codec=codec)
            encoded = run.end["updates"] * run.header["parameters"] * bits / 8
            self.assertGreaterEqual(run.end["sent_bytes"], encoded)
            self.assertLess(run.end["sent_bytes"], 1.02 * encoded)
            self.assertEqual(run.end["payload_bytes"], whole.end["payload_bytes"])
            self.assertLess(run.epochs[-1]["validation_loss"],
                            1.1 * whole.epochs[-1]["validation_loss"])
            self.assertGreater(run.epochs[0]["codec_error"], 0)

    def test_as_many_bits_travel_as_the_controller_asks_for(self):
        run = self.train(2, codec="adaptive", precision="epochs")
        self.assertEqual(run.epochs[0]["bits"], [32, 32, 32])
        self.assertNotIn("codec_error", run.epochs[0])
        for epoch in run.epochs[1:]:
            encoded = sum(bucket["steps"] * run.header["parameters"] * (bits + .5) / 8
                          for bucket, bits in zip(epoch["buckets"], epoch["bits"]))
            self.assertGreaterEqual(epoch["sent_bytes"], encoded)
            self.assertLess(epoch["sent_bytes"], 1.02 * encoded)
        self.assertLess(run.epochs[-1]["bits"][0], 8)
        one_bucket = self.train(2, codec="adaptive", precision="epochs", mode="fixed")
        self.assertEqual([len(epoch["bits"]) for epoch in one_bucket.epochs], [1] * 4)
        self.assertLess(one_bucket.end["sent_bytes"], one_bucket.end["payload_bytes"])

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
        whole = self.train(2, precision="combined", codec="adaptive")
        options = {"--precision": "combined", "--codec": "adaptive", "--log": self.folder / "killed.jsonl",
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

    def test_sigterm_without_a_place_for_a_checkpoint_is_not_taken_for_one(self):
        log = self.folder / "run.jsonl"
        processes = start(2, {"--epochs": 400, "--log": log})
        self.wait_for_epochs(log, 1)
        processes[0].send_signal(signal.SIGTERM)
        codes, errors = finish(processes)
        self.assertEqual(codes, [4, 4], errors)
        self.assertIn("nothing is kept", errors)

    def test_when_a_rank_is_killed_all_others_say_which_and_end_within_five_seconds(self):
        for victim in (0, 1):
            log = self.folder / f"{victim}.jsonl"
            processes = start(3, {"--epochs": 400, "--log": log})
            self.wait_for_epochs(log, 1)
            processes[victim].send_signal(signal.SIGKILL)
            begin = time.monotonic()
            codes, errors = finish(processes)
            self.assertLess(time.monotonic() - begin, 5)
            for rank in {0, 1, 2} - {victim}:
                self.assertEqual(codes[rank], 1)
                self.assertRegex(errors, rf"goss-train: rank {rank}: .*rank {victim}")

    def test_under_mpirun(self):
        if not launch.MPIRUN:
            self.skipTest("no mpirun")
        options = words({"--epochs": 2, "--log": self.folder / "mpi.jsonl"})
        done = subprocess.run([launch.MPIRUN, "-np", "2", "--oversubscribe", launch.PROGRAM,
                               *options], env=launch.mpirun_environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(runs.read_run(self.folder / "mpi.jsonl").header["ranks"], 2)
        self.assertRegex(done.stdout, re.compile(r"^epoch   2 .*samples/s", re.MULTILINE))

    def test_mistakes_end_with_two_and_a_sentence(self):
        for args, text in ((["--mode", "best"], "best"), (["--batches", "3"], "--shares")):
            done = subprocess.run([launch.PROGRAM, *args], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    launch.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""goss-train --sync gossip: what is counted, what is learnt, and what goes on when ranks die."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import launch
from launch import BOUND, SAMPLES, finish, start, steady, words
import runs

DETERMINISTIC = {"--sync": "gossip", "--gossip-deterministic": None}


class GossipTraining(launch.TrainerCase):
    def test_two_ranks_that_mix_every_step_are_an_all_reduce(self):
        # With two ranks the mean is exact after every mix, and the mean of the ranks' steps is the
        # step of all-reduce: equal but for rounding.
        exact = self.train(2, mode="fixed", epochs=2)
        for order in ("atc", "layerwise"):
            mixed = self.train(2, sync="gossip", gossip_order=order, bucket_kib=64, mode="fixed",
                               epochs=2, gossip_deterministic=None)
            self.assertAlmostEqual(mixed.epochs[0]["validation_loss"],
                                   exact.epochs[0]["validation_loss"], delta=0.001)
            # Partners end with the same bits, so the worst model is the mean.
            self.assertEqual(mixed.column("worst_validation_accuracy"),
                             mixed.column("validation_accuracy"))

    def test_updates_and_bytes_equal_the_formula_and_the_loss_its_bound(self):
        for options in ({"gossip_order": "cta"},
                        {"gossip_topology": "ring", "gossip_global_every": 8},
                        {"gossip_compression": "modulo", "gossip_bits": 4}):
            run = self.train(3, sync="gossip", mode="fixed", **options)
            updates = -(-SAMPLES // 16)
            model_bytes = 4 * run.header["parameters"]
            self.assertEqual(run.column("updates"), [updates] * 4)
            self.assertEqual(run.column("payload_bytes"), [updates * model_bytes] * 4)
            self.assertEqual(run.column("evaluate_bytes"), [model_bytes] * 4)
            self.assertLess(run.epochs[-1]["validation_loss"], BOUND, options)
            self.assertGreater(run.epochs[-1]["worst_validation_accuracy"], 0.5, options)
            self.assertGreater(run.epochs[-1]["disagreement"], 0)
            if "gossip_compression" in options:
                # Three ranks: dissemination, one message a step; 4 bits and headers of 32.
                self.assertLess(run.total("sent_bytes"), 0.2 * run.total("payload_bytes"))

    def test_killed_at_random_moments_and_resumed_is_the_uninterrupted_run(self):
        for order in ("atc", "layerwise"):
            whole = self.train(2, **{"sync": "gossip", "gossip_deterministic": None,
                                     "gossip_order": order})
            options = {**DETERMINISTIC, "--gossip-order": order,
                       "--log": self.folder / f"{order}.jsonl",
                       "--checkpoint": self.folder / f"checkpoints-{order}",
                       "--checkpoint-every": 5, "--resume": None}
            seed = random.randrange(1 << 30)
            print(f"kills: {order}, seed {seed}", file=sys.stderr)
            processes = start(2, options)
            self.wait_until(
                lambda: list(self.folder.glob(f"checkpoints-{order}/*/manifest.json")),
                "no checkpoint appears")
            time.sleep(random.Random(seed).random())
            for process in processes:
                process.send_signal(signal.SIGKILL)
            finish(processes)
            codes, errors = finish(start(2, options))
            self.assertEqual(codes, [0, 0], errors)
            self.assertEqual(steady(runs.read_run(self.folder / f"{order}.jsonl")), steady(whole))

    def check_survival(self, log, lost, living):
        """The log of a run of 8 epochs of which rank 0 died, who wrote it until then."""
        records = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual([r["epoch"] for r in records if r["type"] == "epoch"], list(range(8)))
        deaths = [r for r in records if r["type"] == "lost"]
        self.assertEqual([(r["ranks"], r["living"]) for r in deaths], [(lost, living)])
        run = runs.read_run(log)
        self.assertEqual(run.epochs[-1]["ranks"], living)
        self.assertEqual(run.end["updates"], run.total("updates"))
        self.assertLess(run.epochs[-1]["validation_loss"], BOUND)
        return run

    def test_the_others_go_on_when_rank_0_is_killed(self):
        whole = self.train(3, sync="gossip", epochs=8)
        seed = random.randrange(1 << 30)
        print(f"kill: seed {seed}", file=sys.stderr)
        log = self.folder / "killed.jsonl"
        folder = self.folder / "checkpoints"
        options = {"--sync": "gossip", "--epochs": 8, "--log": log, "--checkpoint": folder,
                   "--checkpoint-every": 5}
        processes = start(3, options)
        self.wait_for_epochs(log, 2)
        time.sleep(0.5 * random.Random(seed).random())
        processes[0].send_signal(signal.SIGKILL)
        codes, errors = finish(processes)
        self.assertEqual(codes, [-signal.SIGKILL, 0, 0], errors)
        run = self.check_survival(log, [0], 2)
        self.assertAlmostEqual(run.epochs[-1]["validation_accuracy"],
                               whole.epochs[-1]["validation_accuracy"], delta=0.06)
        # The last checkpoint is of the survivors, who can go on from it as two ranks.
        self.assertEqual(json.loads(max(folder.glob("*/manifest.json")).read_text())["ranks"],
                         2)
        codes, errors = finish(start(2, {**options, "--resume": None}))
        self.assertEqual(codes, [0, 0], errors)

    def test_two_deaths_at_once_leave_one_who_goes_on(self):
        log = self.folder / "log.jsonl"
        processes = start(3, {"--sync": "gossip", "--epochs": 8, "--log": log})
        self.wait_for_epochs(log, 2)
        for victim in (0, 2):
            processes[victim].send_signal(signal.SIGKILL)
        codes, errors = finish(processes)
        self.assertEqual(codes[1], 0, errors)
        records = [json.loads(line) for line in log.read_text().splitlines()]
        self.assertEqual([r for r in records if r["type"] == "lost"][-1]["ranks"], [0, 2])
        self.assertLess(runs.read_run(log).epochs[-1]["validation_loss"], BOUND)

    def test_the_others_go_on_under_mpirun(self):
        if not launch.MPIRUN:
            self.skipTest("no mpirun")
        log = self.folder / "mpi.jsonl"
        options = words({"--sync": "gossip", "--epochs": 8, "--log": log})
        script = 'echo $$ > "$0/pid$OMPI_COMM_WORLD_RANK" && exec "$@"'
        job = subprocess.Popen(
            [launch.MPIRUN, "-np", "3", "--oversubscribe", "--enable-recovery", "sh", "-c", script,
             self.folder, launch.PROGRAM, *options], env=launch.mpirun_environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.wait_for_epochs(log, 2)
        os.kill(int((self.folder / "pid0").read_text()), signal.SIGKILL)
        output, errors = job.communicate(timeout=100)
        self.assertIn("done:", output, errors)
        self.check_survival(log, [0], 2)

    def test_what_gossip_cannot_do_is_refused_with_the_reason(self):
        for args, text in ((["--precision", "combined"], "no error feedback"),
                           (["--lr-rule", "adascale"], "no rank has that"),
                           (["--gossip-bits", "2"], "--gossip-bits"),
                           (["--gossip-deterministic", "--gossip-compression", "edge",
                             "--checkpoint", self.folder], "not in a checkpoint")):
            done = subprocess.run([launch.PROGRAM, "--sync", "gossip", *args], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    launch.main()

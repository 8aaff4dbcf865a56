#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Adaptive batches and adaptive precision against their controls: tune the learning rate of every arm, run the seeds, compare.

Finished runs are skipped, so it can be stopped and started again. Learning rates are tuned on seeds
that the comparison does not use, by validation accuracy; the comparison is by test accuracy after
the last epoch, paired by seed. A seed changes weights, order and data. Gradients travel as messages,
as between hosts, so that the bytes sent are those of a network, headers and scales included; gossip
takes shared memory.
"""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "report"))
import runs  # noqa: E402

EPOCHS = 8
COMMON = f"--epochs {EPOCHS} --batch-warmup 2 --validation 2000 --test 4000 --quiet"
# Every regime that was tried is here, whatever came out.
REGIMES = {
    "clean": "--data glyphs47 --network lenet --train 6000",
    "noise": "--data glyphs47 --network lenet --train 6000 --label-noise 0.1",
    "textures": "--data textures --network cnn --train 6000",
}
# Adaptive batches have 25 % of the samples in batches of 32, 25 % in 64, 50 % in 256: 58 % of the
# updates of fixed 32 with two epochs of warm-up in eight. `same-updates` and `growth` are made to
# have as many.
ARMS = {
    "fixed-32": "--mode fixed --batch 32",
    "fixed-256": "--mode fixed --batch 256",
    "same-updates": "--mode fixed --batch 55",
    "sizes-random": "--mode sizes-random",
    "adaptive": "--mode adaptive",
    "reversed": "--mode reversed",
    "growth": "--mode growth --batch 32 --growth-every 2 --growth-factor 4",
    "infobatch": "--mode infobatch --batch 32",
    "bits-8": "--mode fixed --batch 32 --codec int8",
    "bits-4": "--mode fixed --batch 32 --codec int4",
    "bits-2": "--mode fixed --batch 32 --codec int2",
    "adaptive-bits": "--mode fixed --batch 32 --precision combined --codec adaptive",
    "adaptive-both": "--mode adaptive --precision combined --codec adaptive",
    "gossip-32": "--mode fixed --batch 32 --sync gossip",
}
# Of the arm's own reference batch.
RATES = {"fixed-256": [0.05, 0.1, 0.2, 0.4], "same-updates": [0.02, 0.04, 0.08, 0.16]}
OTHER_RATES = [0.0125, 0.025, 0.05, 0.1]
TUNING_SEEDS = [101, 102]


class Study:
    def __init__(self, args):
        self.args = args
        self.started = 0

    def run(self, regime, arm, rate, seed):
        """The run, from its log when it is complete, else made now; None with --dry-run."""
        path = self.args.out / regime / f"{arm}-lr{rate}-seed{seed}.jsonl"
        if path.exists():
            run = runs.read_run(path)
            if run.end:
                return run
        command = (f"{self.args.launch} {self.args.program} {REGIMES[regime]} {ARMS[arm]} {COMMON}"
                   f" --lr {rate} --seed {seed} --data-seed {seed} --log {path}")
        self.started += 1
        transport = "shm" if "gossip" in ARMS[arm] else "ucx"
        if self.args.dry_run:
            print(command)
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        begin = time.monotonic()
        done = subprocess.run(shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env=dict(os.environ, GOSS_TRANSPORT=transport))
        if done.returncode != 0:
            sys.exit(f"{command}\nended with {done.returncode}: {done.stderr}")
        run = runs.read_run(path)
        print(f"{regime} {arm} lr {rate} seed {seed}: {time.monotonic() - begin:.1f} s, "
              f"{100 * run.epochs[-1]['validation_accuracy']:.2f} %", flush=True)
        return run

    def tune(self, regime, arm):
        """The rate with the best mean validation accuracy, and whether it is at an end of the grid."""
        rates = RATES.get(arm, OTHER_RATES)
        scores = []
        for rate in rates:
            done = [self.run(regime, arm, rate, seed) for seed in TUNING_SEEDS]
            if None not in done:
                scores.append(runs.mean([r.epochs[-1]["validation_accuracy"] for r in done]))
        if len(scores) < len(rates):
            return rates[0], False
        best = max(range(len(rates)), key=lambda i: scores[i])
        return rates[best], best in (0, len(rates) - 1)

    def compare(self, regime):
        results, notes = {}, {}
        for arm in self.args.arms:
            rate, edge = self.tune(regime, arm)
            notes[arm] = f"{rate}{'*' if edge else ''}"
            results[arm] = [self.run(regime, arm, rate, seed) for seed in self.args.seeds]
        if not self.args.dry_run:
            print(table(regime, results, notes), flush=True)


def table(regime, results, notes):
    """Test accuracy in per cent; differences to fixed-32 and to sizes-random paired by seed."""
    def accuracies(arm):
        return [100 * run.epochs[-1]["test_accuracy"] for run in results[arm]]

    def against(arm, base):
        if base not in results or arm == base:
            return ""
        pairs = [a - b for a, b in zip(accuracies(arm), accuracies(base))]
        return f"{runs.mean(pairs):+.2f} ± {runs.interval(pairs):.2f}"

    lines = [f"**{regime}**: `{REGIMES[regime]}`", "",
             "| arm | rate | test accuracy | to fixed-32 | to sizes-random | updates | MB sent by a rank |",
             "|---|---|---|---|---|---|---|"]
    for arm in results:
        own = accuracies(arm)
        first = results[arm][0]
        sent = runs.mean([sum(epoch["sent_bytes"] for epoch in run.epochs) for run in results[arm]])
        lines.append(f"| {arm} | {notes[arm]} | {runs.mean(own):.2f} ± {runs.interval(own):.2f} "
                     f"| {against(arm, 'fixed-32')} | {against(arm, 'sizes-random')} "
                     f"| {first.end['updates']} | {sent / 1e6:.0f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/trainer/goss-train")
    parser.add_argument("--launch", default="mpirun.openmpi -np 2",
                        help="how ranks are started; empty: one rank")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/experiments"))
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--dry-run", action="store_true", help="print what would be run")
    args = parser.parse_args()
    study = Study(args)
    for regime in args.regimes:
        study.compare(regime)
    if args.dry_run:
        print(f"{study.started} runs or more, 3 to 10 s each on two cores", file=sys.stderr)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""goss-report and the statistics behind it, on logs made here."""

import csv
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

REPORT = pathlib.Path(__file__).resolve().parents[2] / "trainer" / "report"
sys.path.insert(0, str(REPORT))
import figures  # noqa: E402
import runs  # noqa: E402


def epoch(number, accuracy, updates=10):
    return {"type": "epoch", "epoch": number, "updates": updates, "payload_bytes": 1000000,
            "validation_accuracy": accuracy, "test_accuracy": accuracy, "step_s": 1.5,
            "exposed_s": .5, "evaluate_s": .25, "loss_curve": [3, 1, .5],
            "buckets": [{"batch": 32, "steps": updates}], "bits": [8, 4],
            "precision_event": "reset" if number == 1 else "watching"}


def log_text(mode, seed, accuracies, ranks=2):
    header = {"type": "run", "format": 1, "ranks": ranks, "parameters": 1000, "cpu": "<cpu>",
              "options": {"mode": mode, "seed": seed, "data_seed": seed, "data": "glyphs",
                          "network": "lenet"}}
    records = [header] + [epoch(i, a) for i, a in enumerate(accuracies)] + [{"type": "end"}]
    return "".join(json.dumps(record) + "\n" for record in records)


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def report(self, *logs, arguments=()):
        out = self.folder / "report.html"
        done = subprocess.run([sys.executable, REPORT / "goss-report", *logs, "-o", out, *arguments],
                              capture_output=True, text=True, check=False)
        return done, out.read_text() if out.exists() else ""

    def test_runs_that_differ_in_seeds_are_one_arm_and_late_ones_are_counted(self):
        logs = [self.write("a1", log_text("fixed", 1, [.5, .9])),
                self.write("a2", log_text("fixed", 2, [.7, .8])),
                self.write("b1", log_text("adaptive", 1, [.6, .7]))]
        table = self.folder / "table.csv"
        done, page = self.report(*logs, arguments=["--target", "0.85", "--csv", table])
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = list(csv.DictReader(table.read_text().splitlines()))
        self.assertEqual([(row["arm"], row["runs"]) for row in rows],
                         [("mode fixed", "2"), ("mode adaptive", "1")])
        # Mean .85, standard deviation .0707, t with one degree of freedom 12.706: 63.53 points.
        self.assertEqual(rows[0]["test accuracy %"], "85.00 ± 63.53")
        self.assertEqual(rows[0]["updates to 85.0 %"], "20.0 (1 of 2 never)")
        self.assertEqual(rows[1]["updates to 85.0 %"], " (1 of 1 never)")
        self.assertIn("&lt;cpu&gt;", page)

    def test_runs_of_other_numbers_of_ranks_and_runs_that_are_not_complete_are_arms_of_their_own(self):
        cut = log_text("fixed", 3, [.1, .2]).rsplit("\n", 2)[0] + "\n"
        logs = [self.write("a", log_text("fixed", 1, [.5, .9])),
                self.write("b", log_text("fixed", 2, [.5, .7], ranks=4)), self.write("c", cut)]
        table = self.folder / "table.csv"
        done, _ = self.report(*logs, arguments=["--csv", table])
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = list(csv.DictReader(table.read_text().splitlines()))
        self.assertEqual([(row["arm"], row["runs"], row["test accuracy %"]) for row in rows],
                         [("complete yes, ranks 2", "1", "90.00"),
                          ("complete yes, ranks 4", "1", "70.00"),
                          ("complete no, ranks 2", "1", "20.00")])

    def test_the_page_is_offline_and_its_figures_are_well_formed(self):
        done, page = self.report(self.write("a", log_text("fixed", 1, [.5, .9, .8])))
        self.assertEqual(done.returncode, 0, done.stderr)
        figures_found = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
        self.assertEqual(len(figures_found), 7)
        for figure in figures_found:
            xml.etree.ElementTree.fromstring(figure)
            self.assertNotIn("nan", figure)
        self.assertNotRegex(page.replace("http://www.w3.org/2000/svg", ""), "https?://|<script")

    def test_what_travelled_is_said_and_what_codecs_did_is_drawn(self):
        text = log_text("fixed", 1, [.5, .9])
        page = self.report(self.write("a", text))[1]
        self.assertIn("travelled in fp32", page)
        text = text.replace('"options": {', '"options": {"codec": "adaptive", ')
        text = text.replace('"test_accuracy"', '"codec_error": 0.001, "test_accuracy"')
        page = self.report(self.write("a", text))[1]
        self.assertIn("travelled in so many bits", page)
        self.assertIn("What codecs did", page)

    def test_models_that_were_mixed_have_a_figure_of_the_worst(self):
        text = log_text("fixed", 1, [.5, .9]).replace(
            '"test_accuracy"', '"worst_validation_accuracy": 0.4, "test_accuracy"')
        done, page = self.report(self.write("a", text))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(re.findall("<svg", page)), 8)
        self.assertIn("worst model", page)

    def test_a_last_line_that_was_cut_off_is_left_out(self):
        text = log_text("fixed", 1, [.5, .9])
        end = text.rstrip("\n").rfind("\n") + 1
        run = runs.read_run(self.write("a", text[:end - 20]))
        self.assertEqual(run.column("validation_accuracy"), [.5])
        self.assertEqual(run.end, {})

    def test_what_is_no_log_is_named_with_its_line(self):
        for text, expected in (("hello\n", "bad:1: is no JSON"), ("{}\n", "does not begin with"),
                               (log_text("fixed", 1, [.5]).replace('"epoch"', "epoch", 1), "bad:2:")):
            done, _ = self.report(self.write("bad", text))
            self.assertEqual(done.returncode, 1)
            self.assertIn(expected, done.stderr)


class Experiments(unittest.TestCase):
    SCRIPT = REPORT.parent / "experiments" / "run.py"

    def test_a_dry_run_names_every_run_and_starts_none(self):
        done = subprocess.run([sys.executable, self.SCRIPT, "--dry-run", "--regimes", "clean",
                               "--arms", "fixed-32", "adaptive", "--program", "/nowhere"],
                              capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2 * (4 * 2 + 5))
        self.assertIn("--seed 101 --data-seed 101", lines[0])


class Statistics(unittest.TestCase):
    def test_the_interval_of_five_numbers(self):
        # Deviation 1.5811, t(4) = 2.776: 2.776 * 1.5811 / sqrt(5).
        self.assertAlmostEqual(runs.interval([1, 2, 3, 4, 5]), 1.963, places=3)
        self.assertEqual(runs.interval([1]), math.inf)

    def test_ticks_are_round_and_inside(self):
        self.assertEqual(figures.ticks(0, 100), [0, 20, 40, 60, 80, 100])
        for low, high in ((.013, .94), (-3, 12345), (1e-9, 2e-9)):
            ticks = figures.ticks(low, high)
            self.assertTrue(3 <= len(ticks) <= 7, ticks)
            self.assertTrue(low <= ticks[0] * (1 + 1e-9) and ticks[-1] <= high * (1 + 1e-9))


if __name__ == "__main__":
    unittest.main()

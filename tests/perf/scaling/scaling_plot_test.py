#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""scaling writes what plot.py draws, and both say what is wrong with what they are given."""
import csv
import io
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

SCALING, PLOT = sys.argv[1], sys.argv[2]
RANKS = "2,4,8,16"


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class ScalingTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.here = pathlib.Path(self.folder.name)

    def file(self, name, content):
        path = self.here / name
        path.write_text(content)
        return str(path)

    def test_rows_of_every_algorithm(self):
        done = run(SCALING, "--ranks", RANKS, "--bytes", "256K,1M")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        self.assertEqual(len(rows), 2 * 6 * 4)  # two_level needs hosts of several ranks
        ring = next(row for row in rows if row["algorithm"] == "ring" and row["nranks"] == "4")
        self.assertEqual((ring["bytes"], ring["messages"], ring["chunk_bytes"]),
                         ("262144", "6", "65536"))
        done = run(SCALING, "--ranks", "8", "--ranks-per-host", "4", "--algorithms", "two_level")
        self.assertEqual(done.stdout.count("two_level,8,4,"), 1)

    def test_parameters_from_measurements(self):
        fit = self.file("fit.csv", "bytes,time_us\n1000,20\n101000,120\n")
        done = run(SCALING, "--fit", fit, "--ranks", "2", "--algorithms", "gossip_hypercube")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("latency 19 us, bandwidth 1 GB/s", done.stderr)
        bad = self.file("bad.csv", "1000,20\n")
        done = run(SCALING, "--fit", bad)
        self.assertEqual(done.returncode, 2)
        self.assertIn("at least two sizes", done.stderr)

    def test_mistakes_are_explained(self):
        for flags in (["--ranks", "0"], ["--bandwidth-gbs", "0"], ["--algorithms", "rung"],
                      ["--latency-us", "-1"], ["--fit", "/does/not/exist"]):
            done = run(SCALING, *flags)
            self.assertEqual(done.returncode, 2, flags)
            self.assertIn(flags[0], done.stderr)

    def test_the_picture(self):
        model, picture = str(self.here / "model.csv"), str(self.here / "model.svg")
        self.assertEqual(run(SCALING, "--ranks", RANKS, "--csv", model).returncode, 0)
        points = self.file("points.csv", "label,nranks,chunk_bytes,achieved_gbs\n"
                           "shared memory,2,4096,1.5\nshared memory,2,65536,4\n1 Gbit/s,2,4096,0.1\n")
        done = run(sys.executable, PLOT, model, picture, "--measured", points)
        self.assertEqual(done.returncode, 0, done.stderr)
        root = xml.etree.ElementTree.parse(picture).getroot()
        svg = "{http://www.w3.org/2000/svg}"
        rings = [c for c in root.iter(svg + "circle") if c.get("fill") == "none"]
        self.assertEqual(len(rings), 3 + 2)  # and two in the legend
        dots = [c for c in root.iter(svg + "circle") if c.get("fill") != "none"]
        self.assertEqual(len(dots), 3 * 6 * 4)
        words = {t.text for t in root.iter(svg + "text")}
        self.assertLessEqual({"measured: shared memory", "gossip hypercube", "ring"}, words)

    def test_a_picture_of_nothing_is_refused(self):
        done = run(sys.executable, PLOT, self.file("empty.csv", ""), str(self.here / "x.svg"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no rows", done.stderr)
        done = run(sys.executable, PLOT, self.file("odd.csv", "algorithm\nring\n"),
                   str(self.here / "x.svg"))
        self.assertIn("no column nranks", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

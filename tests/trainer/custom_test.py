#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The example of docs/your-own-model.md: it learns, on one rank and two, and is what the page says."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import launch

PROGRAM = None
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Custom(unittest.TestCase):
    def run_on(self, ranks):
        common = dict(os.environ, GOSS_NRANKS=str(ranks), GOSS_ADDR="127.0.0.1",
                      GOSS_PORT=str(launch.free_port()))
        processes = [subprocess.Popen([PROGRAM], env=dict(common, GOSS_RANK=str(rank)), text=True,
                                      stdout=subprocess.PIPE) for rank in range(ranks)]
        outputs = [process.communicate(timeout=100)[0] for process in processes]
        self.assertEqual([process.returncode for process in processes], [0] * ranks)
        found = re.fullmatch(r"(\d\.\d+) right after (\d+) updates\n", outputs[0])
        self.assertTrue(found, outputs[0])
        return float(found[1]), int(found[2])

    def test_it_learns_with_the_updates_of_the_formula(self):
        # 6000 samples: two epochs of 32, then 25 % in batches of 32, 25 % of 64, 50 % of 256.
        updates = 2 * 188 + 6 * (47 + 24 + 12)
        for ranks in (1, 2):
            accuracy, counted = self.run_on(ranks)
            # The rings overlap by their noise: about 95 % can be right; a third is chance.
            self.assertGreater(accuracy, 0.9)
            self.assertEqual(counted, updates)

    def test_ten_lines_are_adaptive_and_the_page_shows_all_of_them(self):
        source = (ROOT / "trainer" / "examples" / "custom.cpp").read_text(encoding="utf-8")
        lines = re.findall(r"^ *(.*?) *// adaptive$", source, re.MULTILINE)
        self.assertEqual(len(lines), 10)
        page = (ROOT / "docs" / "your-own-model.md").read_text(encoding="utf-8")
        for line in lines:
            self.assertIn(line, page)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()

# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Logs of goss-train, and the statistics of several of them."""

import dataclasses
import json
import math
import pathlib

# Two-sided 95 % quantiles of Student's t by degrees of freedom; 1.96 beyond.
T95 = [0, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
       2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


class BadLog(Exception):
    """A file that is no log, with what is wrong and where."""


@dataclasses.dataclass
class Run:
    name: str
    header: dict
    epochs: list
    end: dict  # empty when the run is not complete

    @property
    def options(self):
        return self.header["options"]

    def column(self, field):
        return [epoch[field] for epoch in self.epochs]

    def total(self, field):
        return sum(self.column(field))

    def running(self, field):
        """Sums up to and including each epoch."""
        sums, so_far = [], 0
        for value in self.column(field):
            so_far += value
            sums.append(so_far)
        return sums


def read_run(path):
    """A last line that was cut off is left out; anything else that is wrong raises BadLog."""
    path = pathlib.Path(path)
    lines = path.read_text(encoding="utf-8").split("\n")
    records = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise BadLog(f"{path}:{number}: is no JSON: {error}") from error
    if not records or records[0].get("type") != "run" or records[0].get("format") != 1:
        raise BadLog(f"{path}: does not begin with the line of a run of format 1")
    end = [record for record in records if record["type"] == "end"]
    epochs = [record for record in records if record["type"] == "epoch"]
    return Run(path.stem, records[0], epochs, end[0] if end else {})


def mean(values):
    return sum(values) / len(values)


def interval(values):
    """Half of the 95 % interval of the mean; infinite for one value."""
    n = len(values)
    if n < 2:
        return math.inf
    centre = mean(values)
    deviation = math.sqrt(sum((v - centre) ** 2 for v in values) / (n - 1))
    return (T95[n - 1] if n <= len(T95) else 1.96) * deviation / math.sqrt(n)


def reached(run, field, target, cost):
    """Sum of `cost` when `field` first is at `target` or above, or None: it never was."""
    for value, spent in zip(run.column(field), run.running(cost)):
        if value >= target:
            return spent
    return None

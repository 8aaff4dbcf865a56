#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Draws the CSV of `scaling` as SVG: bandwidth and time over ranks, bandwidth over chunk size.

Measured points (--measured FILE, columns label,nranks,chunk_bytes,achieved_gbs) are laid over the third
panel: the model is lines, what was measured is rings.
"""
import argparse
import csv
import math
import sys

COLOURS = {"ring": "#00798c", "halving_doubling": "#edae49", "two_level": "#7a5195",
           "oneshot": "#888888", "twoshot": "#6a994e", "gossip_hypercube": "#d1495b",
           "gossip_dissemination": "#e89aa4"}
MEASURED = ["#222222", "#386fa4", "#bc6c25", "#6d597a"]
DASHED = {"gossip_dissemination", "two_level"}
WIDTH, HEIGHT = 460, 340  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 44, 54
MODEL_COLUMNS = ["algorithm", "nranks", "bytes", "time_us", "chunk_bytes", "achieved_gbs"]
MEASURED_COLUMNS = ["label", "nranks", "chunk_bytes", "achieved_gbs"]


def bytes_label(value):
    for unit, name in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def time_label(us):
    for unit, name in ((1e6, "s"), (1e3, "ms")):
        if us >= unit:
            return f"{us / unit:g} {name}"
    return f"{us:g} us"


def gbs_label(gbs):
    return f"{gbs:g}"


def count_label(value):
    return f"{value:g}"


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


class Axis:
    """A logarithmic axis over whole powers of the base."""

    def __init__(self, values, base, start, end, label):
        log = [math.log(value, base) for value in values]
        self.base, self.start, self.end, self.label = base, start, end, label
        self.low, self.high = math.floor(min(log) + 1e-9), math.ceil(max(log) - 1e-9)
        self.high = max(self.high, self.low + 1)

    def place(self, value):
        part = (math.log(value, self.base) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        step = max(1, math.ceil((self.high - self.low) / 8))
        for power in range(self.low, self.high + 1, step):
            value = float(self.base)**power
            yield self.place(value), self.label(value)


def frame(title, below, x_axis, y_axis):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    out = [text(WIDTH / 2, 26, title, more=' font-weight="bold"')]
    for y, label in y_axis.ticks():
        out.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#dddddd"/>')
        out.append(text(LEFT - 6, y + 4, label, "end"))
    for x, label in x_axis.ticks():
        out.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#eeeeee"/>')
        out.append(text(x, bottom + 18, label))
    out.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888888"/>')
    out.append(text(WIDTH / 2, HEIGHT - 14, below))
    return out


def line(points, name):
    dash = ' stroke-dasharray="5 4"' if name in DASHED else ""
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLOURS[name]}"/>'
                   for x, y in points)
    return f'<path d="M{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"{dash}/>{dots}'


def panel(rows, measured, title, x, y):
    """x and y: (column, base, label of a tick, words below)."""
    points = rows + measured
    x_axis = Axis([row[x[0]] for row in points], x[1], LEFT, WIDTH - RIGHT, x[2])
    y_axis = Axis([row[y[0]] for row in points], y[1], HEIGHT - BOTTOM, TOP, y[2])
    out = frame(title, x[3], x_axis, y_axis)
    for name in COLOURS:
        mine = sorted((row for row in rows if row["algorithm"] == name), key=lambda row: row[x[0]])
        if mine:
            out.append(line([(x_axis.place(row[x[0]]), y_axis.place(row[y[0]])) for row in mine],
                            name))
    labels = sorted({row["label"] for row in measured})
    for row in measured:
        colour = MEASURED[labels.index(row["label"]) % len(MEASURED)]
        out.append(f'<circle cx="{x_axis.place(row[x[0]]):.1f}" cy="{y_axis.place(row[y[0]]):.1f}" '
                   f'r="4" fill="none" stroke="{colour}" stroke-width="2"/>')
    return out


def legend(names, labels):
    out, x = [], LEFT
    for name in names:
        dash = ' stroke-dasharray="5 4"' if name in DASHED else ""
        out.append(f'<path d="M{x} 20h24" stroke="{COLOURS[name]}" stroke-width="3"{dash}/>')
        out.append(text(x + 30, 24, name.replace("_", " "), "start"))
        x += 54 + 7 * len(name)
    for index, label in enumerate(labels):
        colour = MEASURED[index % len(MEASURED)]
        out.append(f'<circle cx="{x + 8}" cy="20" r="4" fill="none" stroke="{colour}" '
                   'stroke-width="2"/>')
        out.append(text(x + 18, 24, f"measured: {label}", "start"))
        x += 100 + 7 * len(label)
    return out, x


def draw(rows, measured):
    """The SVG text of the rows of one size."""
    size = bytes_label(rows[0]["bytes"])
    several = [row for row in rows if row["achieved_gbs"] > 0]
    ranks = ("nranks", 2, count_label, "ranks")
    panels = [
        panel(several, [], f"achieved bandwidth per rank, {size}B (GB/s)", ranks,
              ("achieved_gbs", 10, gbs_label)),
        panel(several, [], f"time, {size}B", ranks, ("time_us", 10, time_label)),
        panel(several, measured, f"bandwidth over mean chunk, {size}B (GB/s)",
              ("chunk_bytes", 2, bytes_label, "bytes per message"),
              ("achieved_gbs", 10, gbs_label)),
    ]
    names = [name for name in COLOURS if any(row["algorithm"] == name for row in rows)]
    keys, used = legend(names, sorted({row["label"] for row in measured}))
    width, height = max(len(panels) * WIDTH, used), 40 + HEIGHT
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>', *keys]
    for index, content in enumerate(panels):
        out += [f'<g transform="translate({index * WIDTH} 40)">', *content, "</g>"]
    return "\n".join(out + ["</svg>", ""])


def read(path, columns):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = [name for name in columns if rows and name not in rows[0]]
    if not rows or missing:
        sys.exit(f"{path}: " + (f"no column {missing[0]} (wanted: {', '.join(columns)})" if rows
                                else "no rows"))
    words = ("algorithm", "label")
    return [{name: row[name] if name in words else float(row[name]) for name in columns}
            for row in rows]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", help="what `scaling` wrote")
    parser.add_argument("svg", help="where to draw")
    parser.add_argument("--measured", help="points to lay over the third panel")
    parser.add_argument("--bytes", type=int, help="which size of the CSV (default: the first one)")
    arguments = parser.parse_args()
    rows = read(arguments.csv, MODEL_COLUMNS)
    size = arguments.bytes or rows[0]["bytes"]
    chosen = [row for row in rows if row["bytes"] == size]
    if not chosen:
        sys.exit(f"{arguments.csv}: no rows of {arguments.bytes} bytes (there are: "
                 f"{', '.join(sorted({bytes_label(row['bytes']) for row in rows}))})")
    measured = read(arguments.measured, MEASURED_COLUMNS) if arguments.measured else []
    with open(arguments.svg, "w", encoding="utf-8") as file:
        file.write(draw(chosen, measured))


if __name__ == "__main__":
    main()

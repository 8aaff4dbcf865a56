# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""The picture of compare.py: time over size, both logarithmic; a panel per ranks and state."""
import math

COLOURS = {"gossamer": "#d1495b", "limit": "#222222", "openmpi": "#00798c", "mpich": "#edae49",
           "gloo": "#7a5195", "gossamer-direct": "#e89aa4", "limit-direct": "#888888",
           "gossamer-varied": "#6a994e", "gossamer-group": "#386fa4"}
WIDTH, HEIGHT = 520, 360  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 40, 50
UNITS = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))


def size_label(size):
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:g}{name}"
    return str(size)


def time_label(us):
    for unit, name in ((1e6, "s"), (1e3, "ms")):
        if us >= unit:
            return f"{us / unit:g} {name}"
    return f"{us:g} us"


def text(x, y, words, anchor="middle", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{words}</text>'


class Panel:
    """Axes and lines of one number of ranks in one state."""

    def __init__(self, rows, title):
        self.rows, self.title = rows, title
        sizes = sorted({max(row["bytes"], 1) for row in rows})
        times = [us for row in rows for us in row["median_us"].values()]
        self.sizes = sizes
        self.x_low, self.x_high = math.log2(sizes[0]), max(math.log2(sizes[-1]), 1)
        if self.x_high <= self.x_low:
            self.x_low, self.x_high = self.x_low - 1, self.x_low + 1
        self.y_low = math.floor(math.log10(min(times)))
        self.y_high = max(math.ceil(math.log10(max(times))), self.y_low + 1)

    def x(self, size):
        part = (math.log2(max(size, 1)) - self.x_low) / (self.x_high - self.x_low)
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, us):
        part = (math.log10(us) - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        out = [text(WIDTH / 2, 22, self.title, more=' font-weight="bold"')]
        for power in range(self.y_low, self.y_high + 1):
            y = self.y(10.0**power)
            out.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#dddddd"/>')
            out.append(text(LEFT - 6, y + 4, time_label(10.0**power), "end"))
        last = -100.0
        for size in self.sizes:
            x = self.x(size)
            if x - last < 32:  # labels must not overlap
                continue
            last = x
            out.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#eeeeee"/>')
            out.append(text(x, bottom + 16, size_label(size)))
        out.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888888"/>')
        out.append(text(WIDTH / 2, HEIGHT - 12, "bytes"))
        return out

    def line(self, program):
        points = [(self.x(row["bytes"]), self.y(row["median_us"][program]))
                  for row in self.rows if program in row["median_us"]]
        if not points:
            return []
        colour = COLOURS[program]
        dash = ' stroke-dasharray="5 4"' if program.startswith("limit") else ""
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
                       for x, y in points)
        return [f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>', dots]


def legend(programs):
    out, x = [], LEFT
    for program in programs:
        out.append(f'<path d="M{x} 20h24" stroke="{COLOURS[program]}" stroke-width="3"/>')
        out.append(text(x + 30, 24, program, "start"))
        x += 130
    return out


def draw(rows, programs):
    """The SVG text."""
    panels = {}
    for row in rows:
        panels.setdefault((row["ranks"], row["state"]), []).append(row)
    states = sorted({state for _, state in panels}, reverse=True)  # near before far
    ranks = sorted({n for n, _ in panels})
    width, height = max(len(states), 1) * WIDTH, 40 + max(len(ranks), 1) * HEIGHT
    seen = [p for p in programs if any(p in row["median_us"] for row in rows)]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>', *legend(seen)]
    for (n, state), members in panels.items():
        panel = Panel(members, f"{members[0]['collective']}, {n} ranks, CPUs {state}")
        x, y = states.index(state) * WIDTH, 40 + ranks.index(n) * HEIGHT
        out.append(f'<g transform="translate({x} {y})">')
        out += panel.axes()
        for program in seen:
            out += panel.line(program)
        out.append("</g>")
    return "\n".join(out + ["</svg>", ""])

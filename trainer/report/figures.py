# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
"""Line charts as SVG, with nothing but the standard library."""

import html
import math

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 44
COLOURS = ["#1b6ca8", "#d1495b", "#2e933c", "#8a5a9e", "#e08e29", "#4d4d4d", "#17a2a2", "#9c755f"]


def spread(items, count):
    """At most `count` of the items, first and last among them."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def ticks(low, high):
    """About five round numbers from low to high."""
    if not high > low:
        return [low]
    raw = (high - low) / 5
    step = 10 ** math.floor(math.log10(raw))
    step *= min((m for m in (1, 2, 5, 10) if m * step >= raw), default=10)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


class Axes:
    def __init__(self, points):
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        self.x0, self.x1 = min(xs), max(xs)
        self.y0, self.y1 = min(ys), max(ys)
        if self.x1 == self.x0:
            self.x1 += 1
        if self.y1 == self.y0:
            self.y1 += 1

    def x(self, value):
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (HEIGHT - TOP - BOTTOM)

    def path(self, points):
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)


def frame(axes, xlabel, ylabel):
    for value in ticks(axes.x0, axes.x1):
        yield f'<text x="{axes.x(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">' \
              f'{value:g}</text>'
    for value in ticks(axes.y0, axes.y1):
        y = axes.y(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 8}" text-anchor="middle">' \
          f'{html.escape(xlabel)}</text>'
    yield f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">' \
          f'{html.escape(ylabel)}</text>'


def lines(series, xlabel, ylabel, bands=(), marks=()):
    """series: (name, [(x, y)]); bands: per series [(x, low, high)]; marks: x of vertical lines."""
    points = [p for _, line in series for p in line]
    points += [(x, y) for band in bands for x, low, high in band for y in (low, high)]
    axes = Axes(points)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'font-family="sans-serif" font-size="11">']
    out += frame(axes, xlabel, ylabel)
    for band, colour in zip(bands, COLOURS):
        around = [(x, high) for x, _, high in band] + [(x, low) for x, low, _ in reversed(band)]
        out.append(f'<polygon points="{axes.path(around)}" fill="{colour}" opacity=".15"/>')
    for x in marks:
        out.append(f'<line x1="{axes.x(x):.1f}" x2="{axes.x(x):.1f}" y1="{TOP}" '
                   f'y2="{HEIGHT - BOTTOM}" stroke="#d1495b" stroke-dasharray="4"/>')
    for index, (name, line) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        out.append(f'<polyline points="{axes.path(line)}" fill="none" stroke="{colour}" '
                   f'stroke-width="1.8"/>')
        out.append(f'<text x="{WIDTH - RIGHT - 4}" y="{TOP + 12 + 14 * index}" text-anchor="end" '
                   f'fill="{colour}">{html.escape(name)}</text>')
    return "\n".join(out + ["</svg>"])

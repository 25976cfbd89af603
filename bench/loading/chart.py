"""One chart as SVG: rates over sizes, a line for each series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.loading.growth import Growth

WIDTH, HEIGHT = 720, 360
LEFT, RIGHT, TOP, BOTTOM = 80, 160, 20, 50
COLOURS = ("#6e7781", "#1f6feb", "#d1242f")
STEPS = 4


def draw(growth: Growth) -> str:
    """Draw sizes on a logarithmic scale, rates from 0 on."""
    highest = _round_up(max(rate for rates in growth.rates.values() for rate in rates))
    lines = [*_scale(highest), *_sizes(growth.sizes)]
    for colour, (title, rates) in zip(COLOURS, growth.rates.items(), strict=True):
        lines += _line(growth.sizes, rates, highest, colour, title)
    body = "\n".join(f"  {line}" for line in lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'  <rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
    )


def _scale(highest: float) -> Iterator[str]:
    for step in range(STEPS + 1):
        rate = highest * step / STEPS
        y = _y(rate, highest)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}" stroke="#d0d7de"/>'
        yield _text(LEFT - 8, y + 4, f"{rate:,.0f}", "end")


def _sizes(sizes: Sequence[int]) -> Iterator[str]:
    for posts in sizes:
        yield _text(_x(posts, sizes), HEIGHT - BOTTOM + 20, f"{posts:,}", "middle")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "posts loaded, and the posts/s of it", "middle")


def _line(
    sizes: Sequence[int], rates: Sequence[float], highest: float, colour: str, title: str
) -> Iterator[str]:
    points = [(_x(posts, sizes), _y(rate, highest)) for posts, rate in zip(sizes, rates, strict=True)]
    path = " ".join(f"{x},{y}" for x, y in points)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    for x, y in points:
        yield f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}"/>'
    x, y = points[-1]
    yield _text(x + 12, y + 4, title, "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'


def _x(posts: int, sizes: Sequence[int]) -> float:
    lowest, highest = math.log(sizes[0]), math.log(sizes[-1])
    share = (math.log(posts) - lowest) / (highest - lowest)
    return round(LEFT + share * (WIDTH - RIGHT - LEFT), 1)


def _y(rate: float, highest: float) -> float:
    return round(HEIGHT - BOTTOM - rate / highest * (HEIGHT - BOTTOM - TOP), 1)


def _round_up(rate: float) -> float:
    step = 10 ** math.floor(math.log10(rate)) / 2
    return math.ceil(rate / step) * step

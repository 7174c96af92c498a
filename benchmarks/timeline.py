"""What a timeline of a million spans, 100,000 samples and an hour of readings costs: size, time to write, fluency.

    python benchmarks/timeline.py             prints, and writes docs/measured/timeline.{md,json}
    python benchmarks/timeline.py --quick     fewer rounds; writes nothing

Wants Playwright and the system's Chromium, which draws in software here.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from measured import Row, chromium, exact, finish, median, options_of

from workbench.profile import (
    ROOT,
    Counter,
    Frame,
    FrameKind,
    Marks,
    Profile,
    ProfileBuilder,
    Resources,
    Samples,
    Spans,
)
from workbench.render.timeline.timeline import timeline_svg

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import Page

TRACKS = 8
SAMPLES = 100_000
LINES = 300
"""Kinds of samples that a page distinguishes: by line, kind of work and scopes."""
READINGS = 72_000
"""Of what the system counts of a process: 20 a second for an hour."""
FUNCTIONS = 8
"""Python and native functions of each sample, on top of its scopes."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
FRAMES = 90

# Moves the view before each frame, and returns the times between frames and those of the script's own drawing.
PAN = """async ([way, frames]) => {
  const chart = document.querySelector('.wt-chart');
  const box = chart.getBoundingClientRect();
  const base = { bubbles: true, cancelable: true, pointerId: 1, button: 0 };
  const at = (x, y) => ({ ...base, clientX: box.left + x, clientY: box.top + y });
  const turn = (amounts) => chart.dispatchEvent(new WheelEvent('wheel', { ...at(700, 300), ...amounts }));
  const next = () => new Promise(requestAnimationFrame);
  const between = [], drawing = [];
  chart.setPointerCapture = () => {};
  if (way === 'drag') chart.dispatchEvent(new PointerEvent('pointerdown', at(700, 300)));
  await next();
  let before = await next();
  for (let i = 0; i < frames; i++) {
    const swing = Math.round(300 * Math.sin(i / 8));
    if (way === 'drag') chart.dispatchEvent(new PointerEvent('pointermove', at(700 + swing, 300)));
    else if (way === 'wheel') turn({ deltaX: Math.cos(i / 8) < 0 ? -40 : 40 });
    else turn({ deltaY: i % 60 < 30 ? -120 : 120, ctrlKey: true });
    const now = await next();
    between.push(now - before);
    drawing.push(chart.drawMilliseconds);
    before = now;
  }
  if (way === 'drag') chart.dispatchEvent(new PointerEvent('pointerup', at(700, 300)));
  return [between, drawing];
}"""


# Returns the milliseconds of the trees of a range: the first one, which finds the nodes, and one of each kind after it;
# then of the lines in it, and of what scopes cost in it, at first and again.
TREES = """([total, lines]) => {
  const { chart } = document.documentElement;
  const range = { from: 0.1 * total, to: 0.9 * total };
  const took = (work) => {
    const began = performance.now();
    work();
    return performance.now() - began;
  };
  const trees = ['spans', 'spans', 'samples'].map((part) => took(() => chart.treeOf(part, range)));
  const others = [() => chart.linesBetween(lines, range), () => chart.costsOf(range)];
  return [...trees, ...others.flatMap((work) => [took(work), took(work)])];
}"""

SECOND_FRAME = """async () => {
  await new Promise(requestAnimationFrame);
  return await new Promise(requestAnimationFrame);
}"""


def million(count: int = 1_000_000) -> Profile:
    """Return a profile of `count` spans on eight tracks, four deep, and of samples, with counters, marks and flops."""
    builder = ProfileBuilder("a million spans")
    frames = [
        builder.frame(Frame(name, "train.py", 10 + i, FrameKind.SCOPE))
        for i, name in enumerate(["epoch", "step", "part", *(f"kernel {k}" for k in range(40))])
    ]
    stacks = [builder.stack(ROOT, frames[0])]
    stacks.append(builder.stack(stacks[0], frames[1]))
    stacks.append(builder.stack(stacks[1], frames[2]))
    leaves = np.array([builder.stack(stacks[2], frame) for frame in frames[3:]])
    sampled = [_functions(builder, stack) for stack in [*stacks, *leaves[:8].tolist()]]
    draw = np.random.default_rng(1)
    for track in range(TRACKS):
        spans = _track(count // TRACKS, np.array(stacks), leaves, draw)
        at = np.sort(draw.integers(0, int(spans.end_ns.max()), 20_000))
        builder.add_track(
            f"worker {track}",
            pid=1,
            tid=track,
            spans=spans,
            samples=_samples(np.concatenate(sampled), int(spans.end_ns.max()), draw),
            counters=(Counter("damping", at, np.abs(np.cumsum(draw.normal(size=len(at))))),),
            marks=Marks(at[::1000], tuple(f"checkpoint {i}" for i in range(20))),
        )
    profile = builder.build()
    return replace(profile, resources=(_readings(profile, draw),))


def _readings(profile: Profile, draw: np.random.Generator) -> Resources:
    """Return readings of a process of which everything changes all the time."""

    def counted(each: int) -> NDArray[np.int64]:
        return np.cumsum(draw.poisson(each, READINGS))

    return Resources(
        pid=1,
        at_ns=np.linspace(profile.start_ns, profile.end_ns, READINGS).astype(np.int64),
        resident_bytes=4096 * (100_000 + np.cumsum(draw.integers(-50, 51, READINGS))),
        threads=draw.integers(8, 12, READINGS),
        cpu_ns=np.cumsum(draw.integers(0, 50_000_000, READINGS)),
        major_faults=counted(1),
        read_bytes=4096 * counted(10),
        written_bytes=4096 * counted(10),
        voluntary_switches=counted(20),
        involuntary_switches=counted(2),
    )


def _functions(builder: ProfileBuilder, scope: int) -> list[int]:
    """Return stacks of functions on a scope, each `FUNCTIONS` deep; some of them differ in the last one only."""
    stacks = []
    for branch in range(3):
        stack = scope
        for depth in range(FUNCTIONS - 1):
            stack = builder.stack(
                stack, builder.frame(Frame(f"call_{branch}_{depth}", "train.py", 100 + depth))
            )
        for leaf in range(4):
            native = builder.frame(Frame(f"kernel_{leaf}", "libm.so", 0, FrameKind.NATIVE))
            stacks.append(builder.stack(stack, native))
    return stacks


def _samples(stacks: Any, until_ns: int, draw: np.random.Generator) -> Samples:
    count = SAMPLES // TRACKS
    period = until_ns // count
    return Samples(
        draw.choice(stacks, count).astype(np.int32),
        np.arange(count) * period,
        np.full(count, period),
        np.ones(count, dtype=np.int32),
        draw.integers(0, period, count),
        draw.integers(1, 5, count).astype(np.uint8),
        line=draw.integers(0, LINES, count).astype(np.int32),
    )


def _track(count: int, stacks: Any, leaves: Any, draw: np.random.Generator) -> Spans:
    """Return spans of one track: ten kernels in a part, three parts in a step, 100 steps in an epoch."""
    sizes = (3000, 30, 10)  # kernels in an epoch, a step, a part
    kernels = int(count / (1 + sum(1 / size for size in sizes)))
    length = np.maximum(draw.lognormal(8, 1.2, kernels).astype(np.int64), 1)
    end = np.cumsum(length + 500 + draw.lognormal(6, 1, kernels).astype(np.int64))
    start, columns = end - length, []
    for level, size in enumerate(sizes):
        first = np.arange(0, kernels, size)
        last = np.minimum(first + size, kernels) - 1
        room = 30 * (3 - level)
        columns.append((start[first] - room, end[last] + room, np.full(len(first), stacks[level]), level))
    columns.append((start, end, leaves[draw.integers(0, len(leaves), kernels)], 3))
    starts, ends, stack = (np.concatenate([column[i] for column in columns]) for i in range(3))
    depth = np.concatenate([np.full(len(column[0]), column[3]) for column in columns])
    order = np.lexsort((depth, starts))
    flops = np.where(depth[order] == 3, draw.uniform(1e3, 1e5, len(order)).round(), np.nan)
    return Spans(
        stack[order].astype(np.int32),
        starts[order],
        ends[order],
        np.zeros(len(order), dtype=np.bool_),
        work={"flops": flops},
    )


def measure(profile: Profile, rounds: int) -> list[Row]:
    """Return the rows of the table, each with its limit."""
    from playwright.sync_api import sync_playwright

    encoding, paint, work = [], [], []
    total = profile.end_ns - profile.start_ns
    frames: dict[str, list[float]] = {}
    drawing: dict[str, list[float]] = {}
    trees: list[list[float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "million.svg"
        for _ in range(rounds):
            began = time.perf_counter()
            svg = timeline_svg(profile, title="A million spans", subtitle="eight tracks", has_lines=True)
            encoding.append(time.perf_counter() - began)
        path.write_text(svg, encoding="utf-8")
        size = path.stat().st_size / 1e6
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            watch = page.context.new_cdp_session(page)
            watch.send("Performance.enable", {"timeDomain": "threadTicks"})
            page.goto(path.as_uri())
            page.wait_for_function("() => performance.getEntriesByName('timeline drawn').length")
            # Drawn is not yet painted: two frames later it is.
            paint.append(page.evaluate(SECOND_FRAME) / 1e3)
            counted = watch.send("Performance.getMetrics")["metrics"]
            work.append(next(entry["value"] for entry in counted if entry["name"] == "TaskDuration"))
            watch.send("Performance.disable")
            for where, presses in (
                ("the whole run", 0),
                ("1/2 of it", 1),
                ("1/32 of it", 4),
                ("1/1024 of it", 5),
            ):
                for _ in range(presses):
                    page.keyboard.press("+")
                for way in ("drag", "wheel") if presses else ("zoom",):
                    between, own = _pan(page, way)
                    frames.setdefault(f"{way}, {where}", []).extend(between)
                    drawing.setdefault(f"{way}, {where}", []).extend(own)
            page.keyboard.press("r")
            page.keyboard.press("s")
            between, own = _pan(page, "drag")
            frames.setdefault("drag, 1/1024 of it with its samples", []).extend(between)
            drawing.setdefault("drag, 1/1024 of it with its samples", []).extend(own)
            page.keyboard.press("0")
            between, own = _pan(page, "zoom")
            frames.setdefault("zoom, the whole run with all readings", []).extend(between)
            drawing.setdefault("zoom, the whole run with all readings", []).extend(own)
            trees.append(page.evaluate(TREES, [int(total), LINES]))
            browser.close()
    rows = [
        exact("file", size, "MB", 30),
        median("written in", encoding, "s", 2),
        median("first paint in Chromium, from navigation", paint, "s", 2),
        median("of which the page's thread works", work, "s"),
    ]
    names = ("the first tree of a range", "a later tree of spans", "a later tree of samples")
    names += ("the first lines of a range", "later lines of a range")
    names += ("the first costs of scopes in a range", "later costs of scopes in a range")
    rows += [
        median(name, list(values), "ms", 150)
        for name, values in zip(names, zip(*trees, strict=True), strict=True)
    ]
    for what, values in frames.items():
        rows.append(median(f"a frame: {what}", values, "ms", 33))
        rows.append(exact(f"the same, 95th percentile: {what}", float(np.percentile(values, 95)), "ms", 33))
        rows.append(median(f"of which the script draws: {what}", drawing[what], "ms"))
    return rows


def _pan(page: Page, way: str) -> tuple[list[float], list[float]]:
    between, own = page.evaluate(PAN, [way, FRAMES])
    return between, own


def main() -> None:
    """Measure, print and write."""
    options = options_of(__doc__).parse_args()
    profile = million()
    spans = sum(len(track.spans) for track in profile.tracks if track.spans is not None)
    sections = {
        f"{spans:,} spans and {SAMPLES:,} samples on {TRACKS} tracks, {READINGS:,} readings": measure(
            profile, 2 if options.quick else 6
        )
    }
    notes = [
        "Headless Chromium at 1400 × 900 pixels, drawing in software; each round starts a browser anew.",
        "First paint is the second frame after the script has drawn, counted from the start of the navigation.",
        "What the page's thread works is processor time: it says how much of the wait was another program's.",
        "A frame is the time between two animation frames while each moves the view; 16.7 ms is the screen's own.",
    ]
    finish("timeline", "What a timeline costs", sections, notes, options)


if __name__ == "__main__":
    main()

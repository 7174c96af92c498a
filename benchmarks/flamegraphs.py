"""Flame graphs: seconds to write them beside their peer, and milliseconds to answer in a browser, beside their limits.

    python benchmarks/flamegraphs.py           some minutes; writes docs/measured/flamegraphs.{md,json}
    python benchmarks/flamegraphs.py --quick   a tenth of the lines, one round, no limits; writes nothing

The peer is the Perl script of github.com/brendangregg/FlameGraph: on PATH as `flamegraph.pl`, or named by the
environment variable FLAMEGRAPH_PL; without it the workbench is measured alone. Both read the same folded file and
write one SVG, each in a process of its own, in turns. The browser is the system's Chromium, headless.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from measured import Row, chromium, exact, finish, median, options_of, ratio

MB = 1_000_000
WIDTH, HEIGHT = 1400, 900

OURS = """
import sys
from workbench import load
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.profile import aggregate
flamegraph_svg(sys.argv[2], aggregate(load(sys.argv[1]), of="samples"), title="benchmark")
"""


def folded_lines(count: int, seed: int = 7) -> list[str]:
    """Return so many distinct stacks, most of them short-lived leaves of a few thousand hot paths."""
    draw = random.Random(seed)  # noqa: S311  an order is no secret
    names = [f"function_{i}" for i in range(3000)]
    paths: list[tuple[str, ...]] = [(names[0],)]
    seen = set(paths)
    while len(seen) < count:
        # Half of the paths extend a recent one, which makes them deep, half from any, which makes it wide.
        first = max(0, len(paths) - 5000) if draw.random() < 0.5 else 0
        path = (*paths[draw.randrange(first, len(paths))][:23], draw.choice(names))
        if path not in seen:
            seen.add(path)
            paths.append(path)
    return [";".join(path) + f" {int(draw.lognormvariate(5, 2)) + 1}" for path in sorted(seen)]


def seconds(command: list[str], **options: Any) -> float:
    """Return how long a program takes, from its start to its end."""
    begin = perf_counter()
    subprocess.run(command, check=True, **options)
    return perf_counter() - begin


def writing(perl_script: Path | None, lines: int, rounds: int, *, limits: bool) -> list[Row]:
    """Return rows of a folded file to SVG, by the workbench and by Perl."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "stacks.folded")
        source.write_text("\n".join(folded_lines(lines)) + "\n")
        ours, perls = [], []
        for _ in range(rounds):
            if perl_script is not None:
                command = ["perl", str(perl_script), str(source)]
                with Path(folder, "perl.svg").open("wb") as out:
                    perls.append(seconds(command, stdout=out, stderr=subprocess.DEVNULL))
            ours.append(seconds([sys.executable, "-c", OURS, str(source), f"{folder}/ours.svg"]))
        name = f"folded file of {lines:,} distinct lines to SVG"
        rows = [
            median(f"{name}, workbench", ours, "s"),
            exact("size, workbench", Path(folder, "ours.svg").stat().st_size / MB, "MB"),
        ]
        if perls:
            rows += [
                ratio(f"{name}, workbench over flamegraph.pl", ours, perls, 0.5 if limits else None),
                median(f"{name}, flamegraph.pl", perls, "s"),
                exact("size, flamegraph.pl", Path(folder, "perl.svg").stat().st_size / MB, "MB"),
            ]
        return rows


def laying_out(stacks: int, rounds: int, *, limits: bool) -> list[Row]:
    """Return rows of a tree of so many stacks, in memory, to a file."""
    from workbench.render.flamegraph.flamegraph import flamegraph_svg

    tree = random_tree(stacks)
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for _ in range(rounds + 1):
            begin = perf_counter()
            Path(folder, "f.svg").write_text(flamegraph_svg(tree, title="benchmark"), encoding="utf-8")
            times.append(perf_counter() - begin)
        size = Path(folder, "f.svg").stat().st_size / MB
    name = f"tree of {stacks:,} stacks to a flame graph"
    # The first round loads templates.
    return [
        median(name, times[1:], "s", 1.0 if limits else None),
        exact(f"{name}, size", size, "MB", 1.0 if limits else None),
    ]


def random_tree(stacks: int, frames: int = 3000, seed: int = 7) -> Any:
    """Return a tree of so many stacks up to 40 deep, with times of all sizes."""
    import numpy as np

    from workbench.profile import Frame, FrameKind, Profile, Stacks, StackTree

    draw = np.random.default_rng(seed)
    parent = np.full(stacks, -1, dtype=np.int32)
    depth = np.ones(stacks, dtype=np.int64)
    for i in range(1, stacks):
        # Some below a recent stack, which makes it deep, some below an old one, which makes it wide.
        at = int(draw.integers(max(0, i - 2000), i)) if i % 2 else int(draw.integers(0, i))
        while depth[at] >= 40:
            at = int(parent[at])
        parent[i], depth[i] = at, depth[at] + 1
    own = (draw.lognormal(12, 2, stacks) + 1).astype(np.int64)
    total = own.copy()
    for i in range(stacks - 1, 0, -1):
        total[parent[i]] += total[i]
    kinds = (FrameKind.PYTHON, FrameKind.PYTHON, FrameKind.NATIVE, FrameKind.SCOPE)
    table = tuple(Frame(f"function_{i}", f"module_{i % 40}.py", i, kinds[i % 4]) for i in range(frames))
    # The children of a stack have different frames, as in any tree that a reader makes.
    order = np.argsort(parent, kind="stable")
    first = np.searchsorted(parent[order], parent[order])
    frame = np.empty(stacks, dtype=np.int32)
    frame[order] = (np.arange(stacks) - first + 7 * parent[order]) % frames
    columns = Stacks(parent, frame)
    profile = Profile("benchmark", table, columns, (), 0, 1)
    return StackTree(profile, own, total, np.ones(stacks, dtype=np.int64))


ANSWER = """async (act) => {
    const painted = () => new Promise((done) => requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = done;
        channel.port2.postMessage(0);
    }));
    await painted();
    const began = performance.now();
    eval(act);
    await painted();
    return performance.now() - began;
}"""
ACTS = {
    "zoom in": "document.querySelectorAll('.wf-box')[3].dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    "zoom out": "document.querySelector('.wf-reset').click()",
    "search": "search('function_1')",
    "search for another": "search('function_12[0-9]')",
    "end of search": "document.querySelector('.wf-clear').click()",
    "by self time": "document.querySelector('.wf-inverted').click()",
    "icicle": "document.querySelector('.wf-icicle').click()",
}
SEARCH = """window.search = (text) => {
    const input = document.querySelector('.wf-search');
    input.value = text;
    input.dispatchEvent(new Event('input'));
}"""


def answering(boxes: int, rounds: int, *, limits: bool) -> list[Row]:
    """Return rows of first paint and of answers to people, in the browser."""
    from playwright.sync_api import sync_playwright

    from workbench.render.flamegraph.flamegraph import flamegraph_svg

    times: dict[str, list[float]] = {name: [] for name in ACTS}
    paints: list[float] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder, "large.svg")
        path.write_text(
            flamegraph_svg(random_tree(boxes, frames=300), title="Large", minimum_share=0), encoding="utf-8"
        )
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"]
        )
        for _ in range(rounds):
            context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
            page = context.new_page()
            page.goto(path.as_uri())
            page.wait_for_function("() => performance.getEntriesByType('paint').length")
            paints.append(
                page.evaluate(
                    "() => Math.max(...performance.getEntriesByType('paint').map((e) => e.startTime))"
                )
            )
            page.evaluate(SEARCH)
            for name, act in ACTS.items():
                times[name].append(page.evaluate(ANSWER, act))
            context.close()
        browser.close()
    note = f"{boxes:,} boxes, {WIDTH} px"
    return [
        median("first paint", paints, "ms", 1000 if limits else None, note),
        *(median(name, values, "ms", 100 if limits else None, note) for name, values in times.items()),
    ]


def main() -> None:
    """Measure, print, and write the page."""
    parser = options_of(__doc__)
    options = parser.parse_args()
    script = os.environ.get("FLAMEGRAPH_PL") or shutil.which("flamegraph.pl")
    if script is None:
        print("without its peer flamegraph.pl: put that on PATH, or name it in FLAMEGRAPH_PL")
    elif not Path(script).is_file():
        parser.error(f"FLAMEGRAPH_PL={script} is no file: fetch github.com/brendangregg/FlameGraph")
    perl_script = Path(script) if script is not None else None
    quick = options.quick
    sections = {
        "Writing": [
            *writing(perl_script, 100_000 if quick else 1_000_000, 1 if quick else 5, limits=not quick),
            *laying_out(100_000 if quick else 1_000_000, 1 if quick else 9, limits=not quick),
        ],
        "Chromium": answering(30_000, 2 if quick else 11, limits=not quick),
    }
    notes = [
        "flamegraph.pl and the workbench take turns, each a process of its own; the interpreters' start is in it.",
        "An answer is from the event to the first message after the next animation frame: layout and paint are in it.",
        "First paint is the browser's own `first-contentful-paint`, from the start of the navigation to a file.",
    ]
    finish(
        "flamegraphs", "Flame graphs: writing them, and their answers in a browser", sections, notes, options
    )


if __name__ == "__main__":
    main()

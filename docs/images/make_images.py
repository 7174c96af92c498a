"""Makes README's flame graph: samples of a training run in its scopes, once for light and once for dark pages.

Run by `make images`. Needs Chromium (`apt install chromium-headless-shell`), and a machine that does little else.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import workbench
from workbench.profile import aggregate, in_scopes
from workbench.render.flamegraph.flamegraph import flamegraph_svg
from workbench.trainer import LevenbergMarquardt, Sequential, problem

HERE = Path(__file__).parent
WIDTH = 860
"""Pixels of the page, as wide as README's text."""
BOTTOM = (
    "Math.max(...[...document.querySelectorAll('text')].map(text => text.getBoundingClientRect().bottom))"
)
"""Where the lowest text of the page ends, in JavaScript."""


def profile_training(folder: Path) -> workbench.profile.Profile:
    """Return the profile of a training run with the Jacobian by finite differences."""
    data = problem("multimodal_1d")
    model = (
        Sequential.builder(1)
        .dense(20, "tanh")
        .dense(20, "tanh")
        .dense(10, "tanh")
        .dense(1, "linear")
        .build(seed=7)
    )
    with workbench.profiled(folder, rate=500) as run:
        model.fit(data.x, data.y, optimizer=LevenbergMarquardt(jacobian="columns"), epochs=40, target_mse=0)
    assert run.profile is not None, "nothing was recorded"
    return run.profile


def main() -> int:
    """Write flamegraph-light.png and flamegraph-dark.png."""
    chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)
    if chromium is None:
        print("Chromium is missing: install the package chromium-headless-shell", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        tree = aggregate(
            in_scopes(profile_training(Path(folder) / "fit"), "epoch", between=False), of="samples"
        )
        svg = Path(folder) / "flamegraph.svg"
        title = "A training run, sampled: tanh in the Jacobian"
        svg.write_text(flamegraph_svg(tree, title=title, minimum_share=0.012), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            context = browser.new_context(
                device_scale_factor=2, color_scheme=scheme, viewport={"width": WIDTH, "height": 600}
            )
            page = context.new_page()
            page.goto(f"{svg.as_uri()}#search=tanh")
            bottom = page.evaluate(BOTTOM)
            page.screenshot(
                path=HERE / f"flamegraph-{scheme}.png",
                clip={"x": 0, "y": 0, "width": WIDTH, "height": bottom + 4},
            )
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Makes the gallery: profiles its programs, measures their changes, and writes output/ and the site's pages.

Run by `make gallery`, which takes about eight minutes, on a machine that does nothing else. Needs Chromium. Pages,
recordings and experiments are left in build/gallery; `--only NAME` makes those of one program.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import shutil
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from workbench.bench.machine.environment import environment

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = Path(__file__).parent / "output"
BUILT = ROOT / "build" / "gallery"
PAGES = BUILT / "site" / "pages"
"""What conf.py puts on the site."""
COLUMNS, WIDTH, ROUNDS = 100, 1000, 12
VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "XDG_CACHE_HOME": str(BUILT / "cache")}
WORKBENCH = (sys.executable, "-m", "workbench")


@dataclass(frozen=True)
class Entry:
    """A program, and the part of its page that is shown."""

    name: str
    address: str
    """What stands behind # in the page's address."""
    part: str = "#workspace"


ENTRIES = (
    Entry("network", "search=tanh"),
    Entry("callbacks", "search=swing"),
    Entry("processes", "tab=table&source=scopes"),
    Entry("lock", "", "#parallelism"),
    Entry("layout", "", "#roofline"),
    Entry("library", "tab=lines"),
)


def run(*words: str) -> None:
    """Run workbench in the checkout, as a user would from its root, with one BLAS thread."""
    print("workbench", *words, flush=True)
    subprocess.run([*WORKBENCH, *words], cwd=ROOT, check=True, env=os.environ | VARIABLES)


def as_printed(*words: str) -> str:
    """Return what workbench prints on a terminal of `COLUMNS` columns without colour."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    variables = os.environ | VARIABLES | {"NO_COLOR": "1", "TERM": "dumb"}
    process = subprocess.Popen([*WORKBENCH, *words], cwd=ROOT, stdout=theirs, env=variables)
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 1 << 16):
            parts.append(part)
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    if process.wait():
        raise SystemExit(f"workbench {' '.join(words)}: exit code {process.returncode}")
    return b"".join(parts).decode().replace("\r\n", "\n").strip("\n") + "\n"


def photograph(browser_page: Page, entry: Entry) -> None:
    """Write the entry's part of its page as a small file."""
    file = OUTPUT / f"{entry.name}.png"
    browser_page.goto(f"{(PAGES / entry.name).as_uri()}.html#{entry.address}")
    part = browser_page.locator(entry.part)
    if part.evaluate("each => each.tagName") == "DETAILS":
        part.locator("summary").first.click()
    browser_page.wait_for_timeout(1000)  # charts are drawn in steps
    part.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(160).save(file, optimize=True)


def make(entry: Entry) -> None:
    """Profile a program, measure its change, and store what both print."""
    profile, experiment = BUILT / entry.name, BUILT / f"{entry.name}-change"
    run("profile", "-o", str(profile), f"docs/gallery/{entry.name}.py")
    shutil.copy(profile / "index.html", PAGES / f"{entry.name}.html")
    (OUTPUT / f"{entry.name}.txt").write_text(as_printed("show", str(profile)), encoding="utf-8")
    shutil.rmtree(experiment, ignore_errors=True)
    run("bench", f"docs/gallery/{entry.name}_change.py", "--rounds", str(ROUNDS), "-o", str(experiment))
    shutil.copy(experiment / "index.html", PAGES / f"{entry.name}-change.html")
    (OUTPUT / f"{entry.name}_change.txt").write_text(as_printed("show", str(experiment)), encoding="utf-8")


def main() -> int:
    """Make the whole gallery, or one program's part of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=[entry.name for entry in ENTRIES], help="one program")
    only = parser.parse_args().only
    entries = [entry for entry in ENTRIES if only in (None, entry.name)]
    chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)
    if chromium is None:
        print("Chromium is missing: install the package chromium-headless-shell", file=sys.stderr)
        return 1
    PAGES.mkdir(parents=True, exist_ok=True)
    OUTPUT.mkdir(exist_ok=True)
    facts, date = environment(), datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    run("doctor", "--calibrate")
    for entry in entries:
        make(entry)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for entry in entries:
            photograph(browser.new_page(viewport={"width": WIDTH, "height": 1000}), entry)
        browser.close()
    if only is None:
        (OUTPUT / "made.md").write_text(
            f"{date}, {facts['machine']}, {facts['usable_cores']} cores, Python {facts['python']}, load "
            f"{facts['load_1min']} at the start.\n",
            encoding="utf-8",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

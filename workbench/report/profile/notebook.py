"""What a notebook shows of a profile: summary, flame graph and lines, of bounded size, in which no script runs.

Notebooks that are not trusted, and exports, drop scripts and style sheets. So all of it is preformatted text in the
colours of its page and one image.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup

from workbench.profile import FrameKind, HotLine, aggregate
from workbench.render.colours import KINDS, shades
from workbench.render.flamegraph.static import static_flame_graph
from workbench.report.profile.lines import PageLines, SourceFile, page_lines
from workbench.report.profile.overview import as_text, overview_of
from workbench.report.profile.run import ProfileRun, has_time
from workbench.text import as_rough_share, as_share_give_or_take

MAX_BYTES = 300_000
"""Of an output: a notebook is a file that is kept with its outputs."""
MAX_BOXES, MAX_LINES, MAX_FILES = 400, 240, 4
"""In the flame graph, and of source. Each is halved until the output is small enough."""
MAX_TEXT, WIDTH = 120, 110
"""Letters of a line of source, and columns of the summary."""
_FONT = "font:13px/1.35 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_PRE = Markup(f'<pre style="margin:0;white-space:pre;overflow-x:auto;{_FONT}">{{}}</pre>')
_LINK = Markup('<p><a href="{}" target="_blank">{}</a></p>')
_IMAGE = Markup('<img alt="flame graph" width="100%" height="{}" src="data:image/svg+xml;base64,{}">')
_KEY = Markup('<span style="background-color:{}">&nbsp;&nbsp;</span> {}&nbsp;&nbsp; ')
_HOT = Markup('<span style="background-color:rgba(214,60,50,{})">{}</span>')


def output_html(run: ProfileRun, page: Path) -> str:
    """Return the output of a cell: at most `MAX_BYTES` of HTML.

    Args:
        run: The profile.
        page: Its page, which is linked.
    """
    shown = overview_of(run)
    summary = preformatted("\n".join(as_text(replace(shown, lines=()), WIDTH)))
    lines = page_lines(run, shown.found)
    boxes, count = MAX_BOXES, MAX_LINES
    while True:
        parts = [summary, *_flame_graph(run, boxes), *_lines(lines, count), page_link(page)]
        text = "".join(parts)
        if len(text.encode()) <= MAX_BYTES or not boxes:
            return text
        boxes, count = boxes // 2, count // 2


def _flame_graph(run: ProfileRun, boxes: int) -> Iterator[Markup]:
    profiles = {"samples": run.together if run.together is not None else run.samples, "spans": run.scopes}
    of = next((of for of, profile in profiles.items() if has_time(profile, of)), None)
    if of is None or not boxes:
        return
    profile = profiles[of]
    assert profile is not None
    svg, height = static_flame_graph(aggregate(profile, of=of), max_boxes=boxes)
    keys = [_KEY.format(shades(dark=False)[kind][2].fill, KINDS[kind]) for kind in _kinds(of)]
    yield Markup("<p>{}</p>").format(Markup("").join(keys))
    yield _IMAGE.format(height, base64.b64encode(svg.encode()).decode())


def _kinds(of: str) -> list[FrameKind]:
    return [FrameKind.SCOPE] if of == "spans" else [FrameKind.SCOPE, FrameKind.PYTHON, FrameKind.NATIVE]


def _lines(lines: PageLines | None, count: int) -> Iterator[Markup]:
    """Yield up to `count` lines of source: the cells of the notebook, the latest first, then the files with most."""
    if lines is None:
        return
    rows = {(line.file, line.line): line for line in lines.rows[None]}
    most = max((line.of_all.share for line in rows.values()), default=0.0)
    files = sorted((file for file in lines.files if file.texts), key=_number_of_cell, reverse=True)
    for file in files[:MAX_FILES]:
        text = [f"{'self':>14}{'total':>9}{'line':>6}  {file.name}"]
        for first, last in file.shown:
            text += ["…"] if first > 1 else []
            for number in range(first, min(last, first + count - 1) + 1):
                text.append(_line(number, _text_of(file, number), rows.get((file.place, number)), most))
                count -= 1
        text += ["…"] if file.shown and file.shown[-1][1] < file.lines else []
        yield preformatted(Markup("\n").join(text))
        if count <= 0:
            return


def _number_of_cell(file: SourceFile) -> int:
    found = re.fullmatch(r"In \[(\d+)\]", file.place)
    return 0 if found is None else int(found[1])


def _text_of(file: SourceFile, number: int) -> str:
    return next(
        (text[number - first] for first, text in file.texts if first <= number < first + len(text)), ""
    )


def _line(number: int, source: str, line: HotLine | None, most: float) -> Markup:
    share = "" if line is None or not line.of_all.samples else as_share_give_or_take(line.of_all)
    total = "" if line is None else as_rough_share(line.total.share)
    text = f"{share:>14}{total:>9}{number:>6}  {source[:MAX_TEXT]}"
    if not share or line is None:
        return Markup.escape(text)
    return _HOT.format(round(0.1 + 0.4 * line.of_all.share / most, 2), text)


def preformatted(text: str) -> Markup:
    """Return text in a font of equal widths, in the colours of its page."""
    return _PRE.format(text)


def page_link(page: Path) -> Markup:
    """Return a link by the way from the notebook's folder, or else to where the page is."""
    page, folder = page.resolve(), Path.cwd()
    is_below = page.is_relative_to(folder)
    address = quote(page.relative_to(folder).as_posix()) if is_below else page.as_uri()
    return _LINK.format(address, str(page.relative_to(folder)) if is_below else str(page))

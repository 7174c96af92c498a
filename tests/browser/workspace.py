"""The workspace of a profile page, as a test uses it."""

from __future__ import annotations

from typing import Any


def show(page: Any, tab: str, source: str = "") -> None:
    """Open a tab, choose a source, and wait until what is shown is drawn: its layout follows its size."""
    page.locator(f"#tab-{tab}").click()
    if source and page.locator(".switch").count():
        page.locator(f".switch [data-source={source}]").evaluate("button => button.click()")
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    if tab == "flame":
        page.locator(".wf-box:visible").first.wait_for()


def row(page: Any, name: str, key: str = "scopes") -> Any:
    """Return the row of a frame in the table."""
    return page.locator(f"#table-{key} tbody tr", has=page.locator(".name").get_by_text(name, exact=True))


def names(page: Any, key: str = "scopes") -> list[str]:
    """Return the names of the rows that are shown, in order."""
    return list(page.locator(f"#table-{key} tbody tr:not(.gone) .name").all_text_contents())


def selected(page: Any) -> str:
    """Return the name of the selected frame."""
    return str(page.locator(".side h3").text_content())


def figures(page: Any) -> dict[str, str]:
    """Return the figures of the selected frame."""
    return {
        str(div.locator("dt").text_content()): str(div.locator("dd").text_content())
        for div in page.locator(".side dl div").all()
    }


def neighbours(page: Any, heading: str) -> list[str]:
    """Return the callers or the callees as they are listed."""
    items = page.locator(f"//aside//h4[text()='{heading}']/following-sibling::*[1]/li")
    return [" ".join(text.split()) for text in items.all_inner_texts()]


def press(page: Any, button: Any, how: str) -> None:
    """Press a button by mouse or by keyboard."""
    if how == "mouse":
        button.click()
    else:
        button.focus()
        page.keyboard.press("Enter")

"""Notebooks that a real kernel runs."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode


def run_notebook(folder: Path, *cells: str, allow_errors: bool = False) -> NotebookNode:
    """Return a notebook of some cells, run in a folder."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return execute(notebook, folder, allow_errors=allow_errors)


def execute(notebook: NotebookNode, folder: Path, *, allow_errors: bool = False) -> NotebookNode:
    """Run a notebook in a folder, and return it with its outputs."""
    client = nbclient.NotebookClient(
        notebook,
        timeout=150,
        kernel_name="python3",
        allow_errors=allow_errors,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute()


def shown(cell: NotebookNode, kind: str = "text/html") -> list[str]:
    """Return what a cell displayed, of one kind."""
    return [output.data[kind] for output in cell.outputs if kind in output.get("data", {})]


def printed(cell: NotebookNode) -> str:
    """Return what a cell printed, on both streams."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def traceback(cell: NotebookNode) -> str:
    """Return the traceback of a cell, without colours."""
    (error,) = (output for output in cell.outputs if output.output_type == "error")
    return strip_ansi("\n".join(error.traceback))

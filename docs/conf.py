"""The site of the documentation: sphinx-build -W docs build/docs, or make docs."""

from pathlib import Path

import workbench

project = "workbench"
author = "The workbench authors"
copyright = "2026, " + author  # noqa: A001  Sphinx gives it this name
release = workbench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images/*.py", "gallery/output/*"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_google_docstring = True
suppress_warnings = ["ref.python"]  # shapes such as (samples,) are no references

html_theme = "furo"
html_title = f"workbench {release}"
html_copy_source = False
html_extra_path = [
    *(f"../workbench/report/profile/{name}.schema.json" for name in ("show", "difference")),
    "../workbench/bench/analysis/experiment.schema.json",
]
if (pages := Path(__file__).parents[1] / "build" / "gallery" / "site").is_dir():  # make gallery was run
    html_extra_path.append(str(pages))
    tags.add("gallery")  # noqa: F821  Sphinx defines it

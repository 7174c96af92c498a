"""Everything that a person reads uses the field's words: names, comments, messages, pages and docs."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# By word: a pattern that also finds it inside identifiers (`time_order`, `Guard`), and the word to use instead.
WORDS = {
    "A′": (r"A′", "A/A control"),
    "arm": (r"(?<![A-Za-z])[Aa]rms?(?![a-z0-9])", "run"),
    "clear of": (r"(?i)\bclear of\b", "outside"),
    "crew": (r"(?<![A-Za-z])[Cc]rews?(?![a-z])", "executor"),
    "goes on with": (
        r"(?i)\b(go|goes|gone|going)[ _]on[ _](with|from|where)\b|\b(is|are|be|was) gone on\b",
        "resume",
    ),
    "guard": (r"(?<![A-Za-z])[Gg]uards?(?![a-z])|(?<![A-Z])GUARDS?(?![A-Z])", "scope, instrumentation"),
    "has it that": (r"(?i)\bha(s|ve) it that\b", "is"),
    "held against": (r"(?i)\bheld against\b", "validate"),
    "keeper": (r"(?<![A-Za-z])[Kk]eepers?(?![a-z])", "checkpoint writer, process reaper"),
    "look": (
        r"(?i)\b(at|one|each|every|no|same|its|these) looks?\b(?! (at|up|for|like|back))|\blooks (per|under)\b",
        "sample",
    ),
    "MOST_": (
        r"(?<![A-Z])(MOST|LEAST|LONGEST)_[A-Z]|\b_?(most|least|longest)_(?!common\b|squares\b)[a-z]",
        "MAX_, MIN_",
    ),
    "of which nothing": (r"(?i)\bof which nothing\b|\bwhich says so\b", "a plain sentence"),
    "own time": (r"(?i)(?<![a-z])own[ _]time(?![a-z])", "self time"),
    "picture": (r"(?<![A-Za-z<])(?<!</)[Pp]ictures?(?![a-z])", "flame graph, timeline, chart"),
    "placement": (r"(?i)(?<![a-z])(placements?|unplaced)(?![a-z])", "attribution, unattributed"),
    "pulse": (r"(?i)(?<![a-z])pulses?(?![a-z])", "clock synchronisation"),
    "rooms": (r"(?i)(?<![a-z])rooms(?![a-z])", "packages"),
    "standing": (r"\bStanding\b(?=[(:.\]| ])", "snapshot"),
    "story": (r"(?<![A-Za-z])[Ss]tor(y|ies)(?![a-z])", "summary"),
    "team": (r"(?<![A-Za-z])[Tt]eams?(?![a-z])", "thread pool"),
    "time order": (r"(?i)(?<![a-z])time[ _-]?order(?![a-z])", "timeline"),
    "times as long": (r"(?i)\btimes as (long|large)\b", "1.28× slower"),
    "told apart": (r"(?i)(?<![a-z])told[ _]apart(?![a-z])|\bcan(not)? be told\b", "distinguished, known"),
    "trainings": (r"(?i)(?<![a-z])trainings(?![a-z])", "training runs"),
    "under no scope": (r"(?i)(?<![a-z])under[ _]no[ _]scope(?![a-z])", "outside any scope"),
}

# Where a word stays for good, and why.
KEPT: dict[str, tuple[str, ...]] = {
    "CHANGELOG.md": tuple(WORDS),  # a release's entry keeps the words of that release
    "docs/measured/": tuple(WORDS),  # written by the benchmarks; a new measurement brings the new words
    "docs/results.md": ("A′", "arm"),  # the keys of the schemas that are still read
    "workbench/bench/results/lines.py": ("A′", "arm"),  # the keys of the schemas that are still read
    "tests/bench/test_results.py": ("arm",),  # the keys of the schemas that are still read
    "workbench/report/profile/run.py": ("placement",),  # the key of an earlier profile.json
    "workbench/report/profile/summary.py": ("placement",),  # the key of an earlier profile.json
    "workbench/report/profile/page.py": ("time order",),  # names of files that earlier versions wrote
    "workbench/outputs/files.py": ("time order",),  # names of files that earlier versions wrote
    ".github/workflows/release.yml": ("arm",),  # the name of a machine
    "tests/test_words.py": tuple(WORDS),  # the list itself
}

READ = {".py", ".pyi", ".js", ".html", ".svg", ".md", ".css", ".c", ".h", ".toml", ".sh", ".yaml", ".yml", ""}


@functools.cache
def tracked() -> dict[str, list[str]]:
    """Return the lines of all tracked text, with the file's name in front."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a checkout of git")
    names = [
        name for name in listed.stdout.split("\0") if Path(name).suffix in READ and (ROOT / name).is_file()
    ]
    return {name: [name, *(ROOT / name).read_text(encoding="utf-8").splitlines()] for name in names}


def allowed(path: str, word: str) -> bool:
    return any(path.startswith(start) and word in words for start, words in KEPT.items())


@pytest.mark.parametrize("word", WORDS)
def test_the_fields_word_is_used(word: str) -> None:
    """No name, comment, message or page uses a home-made word where the field has one."""
    pattern, instead = re.compile(WORDS[word][0]), WORDS[word][1]
    found = [
        f"{path}:{number}: {line.strip()[:110]}"
        for path, lines in tracked().items()
        if not allowed(path, word)
        for number, line in enumerate(lines)
        if pattern.search(line)
    ]
    assert not found, f"say “{instead}”:\n" + "\n".join(found)

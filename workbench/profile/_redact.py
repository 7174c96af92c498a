"""Users, their homes, hosts and values of command lines, replaced by names: the same text by the same one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workbench.errors import InvalidInputError
from workbench.profile._own_code import is_interpreter
from workbench.profile._record import Frame, FrameKind, Profile, Track

MIN_VALUE = 4
"""Letters of a value that is replaced outside of commands, too: a shorter one, or a number, says nothing there."""
_HOME = re.compile(r"(?:/home|/Users|[A-Za-z]:\\Users)[/\\]([^/\\\s:;,'\"()<>]+)")
MAX_NAMES = 2000
"""Texts that are replaced: each text is searched for all of them."""
_RANK = re.compile(r"rank \d+: ")
"""What a recording puts before the command of a rank of a parallel job."""
_USUAL = frozenset({"root"})
"""Users whose name is no person's. Their home is replaced, and the word is not."""
_PYTHON_FLAGS = ("-X", "-W")
"""Python's own options that are followed by a value, which is no program's."""


class Redaction:
    """The names that replace what a profile, or several of one output, tell of people and machines.

    First everything that will be shown is learned; then it is replaced. Users are `user-1`, their homes
    `/home/user-1`, hosts `host-1`, and what a command line gives to its program `value-1`, with numbers in the order in
    which they were learned. A value of fewer than four letters, and a number, is replaced in commands alone.
    """

    def __init__(
        self, *, users: Iterable[str] = (), homes: Iterable[str] = (), hosts: Iterable[str] = ()
    ) -> None:
        """Begin with what is known of this machine; the n-th home is that of the n-th user."""
        self._users: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._people: dict[str, str] = {}
        """What is replaced everywhere."""
        self._all: dict[str, str] = {}
        """That, and values."""
        self._patterns: dict[bool, re.Pattern[str]] = {}
        for user, home in zip(users, homes, strict=False):
            self._user(user, home)
        for host in hosts:
            self._host(host)

    def learn(self, profile: Profile) -> None:
        """Learn what is to be replaced from all texts of a profile.

        Raises:
            InvalidInputError: It has too many users, hosts and values.
        """
        for host in profile.recording.hosts:
            self._host(host)
        for command in (profile.name, *(track.process for track in profile.tracks)):
            self.learn_command(command)
        for text in _texts(profile):
            self.learn_text(text)

    def learn_command(self, text: str) -> None:
        """Learn the values in a command line, and the homes."""
        self.learn_text(text)
        for word, is_value in _parts(text):
            if is_value and word:
                self._value(word)

    def learn_text(self, text: str) -> None:
        """Learn the homes in a text, and with them their users."""
        for match in _HOME.finditer(text):
            self._user(match[1], match[0])

    def _user(self, user: str, home: str) -> None:
        if not user or home in ("", "/"):
            return
        name = self._users.setdefault(user, f"user-{len(self._users) + 1}")
        self._replace(home, f"/home/{name}")
        if user not in _USUAL:
            self._replace(user, name)

    def _host(self, host: str) -> None:
        if host in ("", "localhost"):
            return
        name = self._hosts.setdefault(host, f"host-{len(self._hosts) + 1}")
        for alias in (host, host.partition(".")[0]):
            self._replace(alias, name)

    def _value(self, value: str) -> None:
        name = self._values.setdefault(value, f"value-{len(self._values) + 1}")
        for alias in (value, re.split(r"[/\\]", value)[-1]):
            if len(alias) >= MIN_VALUE and not re.fullmatch(r"[-+.\d]+(e[-+]?\d+)?", alias):
                self._replace(alias, name, is_value=True)

    def _replace(self, text: str, name: str, *, is_value: bool = False) -> None:
        if text in (self._all if is_value else self._people):
            return
        if not is_value:
            self._people[text] = name
        self._all[text] = name
        self._patterns.clear()
        if len(self._all) > MAX_NAMES:
            raise InvalidInputError(
                f"the profile has more than {MAX_NAMES} users, hosts and values to redact: cut it"
            )

    def text(self, text: str) -> str:
        """Return a text with everything replaced that was learned."""
        return self._replaced(text, self._all)

    def function(self, name: str) -> str:
        """Return the name of a function, in which a value is no value."""
        return self._replaced(name, self._people)

    def command(self, text: str) -> str:
        """Return a command line with its values replaced; the program, its script and its options stay."""
        if not _is_command(text):
            return self.text(text)
        rank = _RANK.match(text)
        words: list[str] = []
        option = ""
        for word, is_value in _parts(text):
            if not is_value and word.endswith("="):
                option = word
                continue
            words.append(option + (self._values.get(word, self.text(word)) if is_value else self.text(word)))
            option = ""
        return (rank[0] if rank else "") + shlex.join([*words, option] if option else words)

    def _replaced(self, text: str, names: dict[str, str]) -> str:
        self.learn_text(text)
        if not names or not text:
            return text
        everything = names is self._all
        pattern = self._patterns.get(everything)
        if pattern is None:
            by_length = sorted(names, key=lambda each: (-len(each), each))
            pattern = re.compile("|".join(map(_whole, by_length)))
            self._patterns[everything] = pattern
        return pattern.sub(lambda match: names[match[0]], text)

    def profile(self, profile: Profile) -> Profile:
        """Return the profile with what was learned replaced in its texts.

        Invariant: times and structure stay; frames, tracks, stacks and events keep their numbers.
        """
        facts, file = profile.recording, profile.file
        return replace(
            profile,
            name=self.command(profile.name),
            frames=tuple(map(self._frame, profile.frames)),
            tracks=tuple(map(self._track, profile.tracks)),
            lines=replace(profile.lines, places=tuple(map(self._frame, profile.lines.places))),
            recording=replace(
                facts,
                hosts=tuple(self._hosts.get(host, self.text(host)) for host in facts.hosts),
                sites=tuple(
                    site._replace(
                        name=self.text(site.name),
                        file=self.text(site.file),
                        function=self.function(site.function),
                    )
                    for site in facts.sites
                ),
                threads=tuple((tid, name and self.text(name)) for tid, name in facts.threads),
            ),
            file=replace(file, warnings=tuple(map(self.text, file.warnings))),
        )

    def _frame(self, frame: Frame) -> Frame:
        name = self.text(frame.name) if frame.kind is FrameKind.SCOPE else self.function(frame.name)
        return frame._replace(name=name, file=self.text(frame.file))

    def _track(self, track: Track) -> Track:
        return replace(
            track,
            name=self.text(track.name),
            process=self.command(track.process),
            counters=tuple(replace(each, name=self.text(each.name)) for each in track.counters),
            marks=track.marks and replace(track.marks, name=tuple(map(self.text, track.marks.name))),
        )


def _whole(text: str) -> str:
    """Return a pattern of a text that is no part of a longer word; `anna` is in `anna_data`, and not in `annabel`."""
    before = r"(?<![A-Za-z0-9])" if text[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if text[-1].isalnum() else ""
    return before + re.escape(text) + after


def _texts(profile: Profile) -> Iterator[str]:
    for frame in (*profile.frames, *profile.lines.places):
        yield frame.file
        yield frame.name
    for track in profile.tracks:
        yield track.name
        yield from (counter.name for counter in track.counters)
        yield from () if track.marks is None else track.marks.name
    yield from (site.file for site in profile.recording.sites)
    yield from profile.file.warnings


def _words(text: str) -> list[str]:
    """Return the words of a command line, without the rank before it."""
    text = _RANK.sub("", text, count=1) if _RANK.match(text) else text
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _is_command(text: str) -> bool:
    """Return whether a name is a command line, and not that of a folder or of a browser's process."""
    words = _words(text)
    return len(words) > 1 and (
        is_interpreter(words[0]) or any(word.endswith(".py") or word[:1] == "-" for word in words)
    )


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the words of a command line and whether each is a value; an option comes with its "=", then its value."""
    if not _is_command(text):
        return
    words = iter(_words(text))
    for word in words:  # up to the program
        if is_interpreter(word):
            yield word, False
        elif word in _PYTHON_FLAGS:
            yield word, False
            yield next(words, ""), False
        elif word == "-c":
            yield word, False
            break
        elif word == "-m":
            yield word, False
            yield next(words, ""), False
            break
        else:
            yield word, False
            if word[:1] != "-":
                break
    for word in words:
        option, equals, value = word.partition("=")
        if option.startswith("--") and equals:
            yield f"{option}=", False
            yield value, True
        elif word.startswith("--") or re.fullmatch(r"-[A-Za-z]?", word):
            yield word, False
        elif re.match(r"-[A-Za-z]", word):
            yield f"{word[:2]}", False
            yield word[2:], True
        else:
            yield word, not is_interpreter(word)

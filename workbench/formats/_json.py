"""A cursor in foreign JSON that reads one element at a time, and errors with their byte.

A whole file as Python objects takes ten times its size; here a reader keeps only what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]  # not in typeshed
from typing import Any

from workbench.errors import InvalidInputError
from workbench.formats import source as limits
from workbench.formats.source import Source
from workbench.records import no_constant, unique_keys

BLOCK = 1 << 16
"""Characters of an array of objects that are read at once."""


def shown(value: object, most: int = 60) -> str:
    """Return a value for an error: short, on one line, without control characters."""
    text = ascii(value) if not isinstance(value, int | float) else str(value)[: 2 * most]
    return text if len(text) <= most else text[:most] + "…"


class JsonText:
    """A cursor in a file's text: `at` is where the value begins that is read next, or was yielded last."""

    def __init__(self, source: Source, what: str, *, constants: bool = False) -> None:
        """Begin at the first value of a file that should be a `what`, such as "a speedscope file".

        With `constants`, NaN and Infinity are floats, as many programs write them; else they are refused.
        """
        self.name = source.name
        self._what = what
        if source.data.count(b"[") + source.data.count(b"{") > limits.MAX_VALUES:
            raise InvalidInputError(
                f"{self.name} holds more than {limits.MAX_VALUES} arrays and objects: cut it"
            )
        try:
            self._text = source.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{self.name} is not {what}: byte {error.start} is not UTF-8 ({error.reason})"
            ) from None
        constant = float if constants else no_constant
        # Not strict: control characters in a text are taken as they are.
        decoder: Any = json.JSONDecoder(object_pairs_hook=unique_keys, parse_constant=constant, strict=False)
        self._scan: Callable[[str, int], tuple[Any, int]] = decoder.scan_once  # C, where json's own is
        self._passed = 0
        self.at = self._blank(0)

    def wrong(self, message: str, at: int | None = None) -> InvalidInputError:
        """Return the error for what is wrong at a place, by default at the cursor."""
        place = self.at if at is None else at
        if at is None and self._passed:  # the cursor is at the first of several that were read at once
            passed, self._passed = self._passed, 0
            for _ in range(passed):
                place = self._blank(self._value(place)[1])
                place = self._blank(place + 1)
        byte = len(self._text[:place].encode("utf-8", "surrogatepass"))
        return InvalidInputError(f"{self.name} is not {self._what}: at byte {byte}, {message}")

    def peek(self) -> str:
        """Return the next value's first character, or nothing at the end."""
        return self._text[self.at : self.at + 1]

    def value(self) -> Any:
        """Return the next value as Python objects; the cursor moves after it."""
        found, self.at = self._value(self.at)
        return found

    def members(self) -> Iterator[str]:
        """Walk through an object. At each key the cursor is at its value, which must be read."""
        text = self._text
        at = self._blank(self._begin("{"))
        seen: set[str] = set()
        if text[at : at + 1] == "}":
            self.at = at + 1
            return
        while True:
            key, end = self._value(at)
            if not isinstance(key, str):
                raise self.wrong(f"there is no key but {shown(key)}", at)
            if key in seen:
                raise self.wrong(f"the key {shown(key)} is twice in one object", at)
            seen.add(key)
            end = self._blank(end)
            if text[end : end + 1] != ":":
                raise self.wrong("there is no colon", end)
            self.at = self._blank(end + 1)
            yield key
            at = self._blank(self.at)
            mark = text[at : at + 1]
            if mark == "}":
                self.at = at + 1
                return
            if mark != ",":
                raise self.wrong("there is no comma and no end of an object", at)
            at = self._blank(at + 1)

    def elements(self, *, may_be_open: bool = False) -> Iterator[Any]:
        """Walk through an array's elements; the cursor is at each that is yielded, and after the array at the end.

        A comma may follow the last. With `may_be_open`, the file may end after an element or a comma, as
        Chrome's traces may.
        """
        text = self._text
        at = self._blank(self._begin("["))
        if text[at : at + 1] == "]":
            self.at = at + 1
            return
        one_by_one = at  # until there
        while True:
            if may_be_open and at >= len(text):
                self.at = at
                return
            self.at = at
            block, end = self._block(at) if at >= one_by_one else ([], 0)
            if block:
                for self._passed, found in enumerate(block):
                    yield found
                self._passed = 0
                at = end
            else:
                one_by_one = max(one_by_one, end)
                found, at = self._value(at)
                yield found
            mark = text[at : at + 1]
            if mark not in (",", "]"):
                at = self._blank(at)
                mark = text[at : at + 1]
            if mark == ",":
                at = self._blank(at + 1)
                mark = text[at : at + 1]
                if mark == "]":
                    self.at = at + 1
                    return
            elif mark == "]":
                self.at = at + 1
                return
            elif not mark and may_be_open:
                self.at = at
                return
            else:
                raise self.wrong("there is no comma and no end of an array", at)

    def _block(self, at: int) -> tuple[list[Any], int]:
        """Return the objects in a piece of an array and where it ends, or nothing and where it would have.

        A piece is cut where an object seems to end. With brackets around it, it is JSON only if the cut is
        between two elements: inside a value, the last bracket does not close the first.
        """
        cut = self._text.find("},", at + BLOCK) + 1
        if not cut or self._text[at] != "{":
            return [], at + BLOCK
        try:
            found, end = self._scan(f"[{self._text[at:cut]}]", 0)
        except (StopIteration, ValueError, RecursionError):
            return [], cut
        return (found, cut) if end == cut - at + 2 else ([], cut)

    def array_text(self) -> str:
        """Return the text between an array's first bracket and the next closing one, if it is ASCII; else nothing.

        The cursor stays: a caller that has read the text moves on by `skip`.
        """
        begin = self._begin("[")
        end = self._text.find("]", begin)
        found = self._text[begin:end] if end >= 0 else ""
        return found if found.isascii() else ""

    def skip(self, length: int) -> None:
        """Move the cursor by a number of characters."""
        self.at += length

    def items(self) -> Iterator[int]:
        """Walk through an array whose elements the caller reads: at each index the cursor is at its value."""
        text = self._text
        at = self._blank(self._begin("["))
        if text[at : at + 1] == "]":
            self.at = at + 1
            return
        index = 0
        while True:
            self.at = at
            yield index
            at = self._blank(self.at)
            mark = text[at : at + 1]
            if mark == "]":
                self.at = at + 1
                return
            if mark != ",":
                raise self.wrong("there is no comma and no end of an array", at)
            at = self._blank(at + 1)
            index += 1

    def end(self) -> None:
        """Check that only blanks follow."""
        self.at = self._blank(self.at)
        if self.at != len(self._text):
            raise self.wrong("the file should end")

    def _begin(self, bracket: str) -> int:
        if self.peek() != bracket:
            kind = "object" if bracket == "{" else "array"
            raise self.wrong(f"there is no {kind} but {shown(self._text[self.at : self.at + 20])}")
        return self.at + 1

    def _blank(self, at: int) -> int:
        end: int = WHITESPACE.match(self._text, at).end()
        return end

    def _value(self, at: int) -> tuple[Any, int]:
        try:
            return self._scan(self._text, at)
        except StopIteration:
            gone = at >= len(self._text)
            raise self.wrong("the file ends too early" if gone else "there is no value", at) from None
        except json.JSONDecodeError as error:
            gone = error.pos >= len(self._text) or error.msg.startswith("Unterminated")
            raise self.wrong(
                "the file ends too early" if gone else error.msg.lower(), min(error.pos, len(self._text))
            ) from None
        except RecursionError:
            raise self.wrong("values are nested too deeply in one another", at) from None
        except ValueError as error:
            raise self.wrong(str(error).split(";", 1)[0], at) from None

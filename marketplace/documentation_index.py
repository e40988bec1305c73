"""The site's documentation as pages that can be found by words: each operation of the API reference, and the whole.

Small enough to be looked through for each query. A word also finds longer ones and its other forms ("streaming" finds
"stream"); a page must have all words of the query, but for those that every sentence has.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import reverse

from marketplace.openapi import document
from marketplace.pages.api_reference import shown_operations

MOST_PAGES = 10
_ENDINGS = re.compile(r"(?:ions|ion|ings|ing|ies|ed|es|s|e|y)$")
_SHORTEST_STEM = 3
_EMPTY_WORDS = {
    *("a", "an", "and", "by", "can", "do", "for", "from", "how", "i", "in", "is", "it"),
    *("my", "of", "on", "one", "or", "the", "to", "what", "with"),
}
_NAME, _TEXT = 3, 1  # what a word counts in


@dataclass(frozen=True, slots=True)
class Page:
    """href: a path on this site, perhaps with a place on the page. words, name_words: lower case."""

    name: str
    href: str
    name_words: frozenset[str]
    words: frozenset[str]


def find_pages(text: str) -> list[Page]:
    """Pages that have all the words, best first; at most MOST_PAGES. None where no word says anything."""
    wanted = [_stem(word) for word in _words(text) - _EMPTY_WORDS]
    if not wanted:
        return []
    scored = [(score, page) for page in _pages() if (score := _score(page, wanted))]
    scored.sort(key=lambda pair: -pair[0])  # stable: the reference's order among equals
    return [page for _, page in scored[:MOST_PAGES]]


@cache
def _pages() -> tuple[Page, ...]:
    return tuple(_made())


def _made() -> Iterator[Page]:
    home = reverse("api_reference")
    info: dict[str, Any] = document()["info"]
    yield _page("API reference", home, f"{info['title']} {info['description']} documentation endpoints")
    for operation in shown_operations():
        members = " ".join(f"{member.name} {member.description}" for member in operation.parameters + operation.members)
        text = f"{operation.tag} {operation.method} {operation.path} {operation.description} {members}"
        yield _page(operation.summary, f"{home}#{operation.anchor}", text)


def _page(name: str, href: str, text: str) -> Page:
    return Page(name, href, frozenset(_words(name)), frozenset(_words(text)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word)
    if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2]:
        stem = stem[:-1]  # "cancelling", "running"
    return stem if len(stem) >= _SHORTEST_STEM else word


def _has(words: frozenset[str], stem: str) -> bool:
    if len(stem) < _SHORTEST_STEM:
        return stem in words
    return any(word.startswith(stem) for word in words)


def _score(page: Page, wanted: list[str]) -> int:
    """0 where a word is missing."""
    score = 0
    for stem in wanted:
        if _has(page.name_words, stem):
            score += _NAME
        elif _has(page.words, stem):
            score += _TEXT
        else:
            return 0
    return score

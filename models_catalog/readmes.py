"""Readmes: an author's Markdown turned into HTML that may stand on our pages.

Two walls: the Markdown reader takes no raw HTML beyond what it knows, and whatever comes out passes an allow-list.
Links leave with `nofollow`; images from elsewhere become links, since a picture's address tells its server who reads.
Source: design.md, "Trust"; product-ux.md 3.7.
"""

import re

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_MOST_CHARACTERS = 200_000
_TAGS = frozenset(
    [
        *("a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "hr", "i", "kbd"),
        *("li", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "s", "samp", "span", "strong", "sub"),
        *("summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    ]
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"align"}, "th": {"align"}, "code": {"class"}} | {
    f"h{level}": {"id"} for level in range(1, 7)
}
_markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_IMAGE = re.compile(r"<img\b([^>]*)>", re.IGNORECASE)
_HEADING = re.compile(r"<h([1-6])>(.*?)</h\1>", re.DOTALL)


def render(markdown: str) -> SafeString:
    """Sanitized HTML of a readme; what exceeds 200,000 characters is cut. Headings carry ids for links to them."""
    html = _markdown.render(markdown[:_MOST_CHARACTERS])
    clean = nh3.clean(
        _IMAGE.sub(_as_link, html),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener noreferrer",
        attribute_filter=_keep,
    )
    return mark_safe(_with_ids(clean))  # noqa: S308 - nh3's output, and ids made of letters, digits and hyphens


def _as_link(image: re.Match[str]) -> str:
    """An image as a link with its description. Runs before the sanitizer, so it need not be careful."""
    found = dict(re.findall(r'(src|alt)\s*=\s*"([^"]*)"', image[1], re.IGNORECASE))
    return f'<a href="{found.get("src", "")}">{found.get("alt") or "image"}</a>'


def _keep(tag: str, attribute: str, value: str) -> str | None:
    """Classes only to name a code block's language; ids are ours alone."""
    if attribute == "id":
        return None
    if attribute == "class":
        return value if re.fullmatch(r"language-[\w+-]{1,30}", value) else None
    return value


def _with_ids(html: str) -> str:
    seen: dict[str, int] = {}

    def add_id(heading: re.Match[str]) -> str:
        words = re.sub(r"<[^>]*>|&\w+;", "", heading[2]).lower()
        slug = re.sub(r"[^a-z0-9]+", "-", words).strip("-")[:60] or "section"
        seen[slug] = seen.get(slug, 0) + 1
        name = slug if seen[slug] == 1 else f"{slug}-{seen[slug]}"
        return f'<h{heading[1]} id="readme-{name}">{heading[2]}</h{heading[1]}>'

    return _HEADING.sub(add_id, html)

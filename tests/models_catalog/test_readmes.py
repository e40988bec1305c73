"""Readmes: Markdown works, nothing that could act on a reader's behalf comes through."""

import pytest

from models_catalog.readmes import render


def test_markdown_becomes_html() -> None:
    html = render("# Echo\n\nSays **it** back.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```\n")
    assert '<h1 id="readme-echo">Echo</h1>' in html
    assert "<strong>it</strong>" in html
    assert "<td>1</td>" in html
    assert '<code class="language-python">' in html


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '<img src="x" onerror="alert(1)">',
        "[x](javascript:alert(1))",
        '<a href="javascript:alert(1)">x</a>',
        '<a href="https://a.example" onclick="alert(1)">x</a>',
        "<iframe src='https://a.example'></iframe>",
        "<form action='/accounts/logout'><button>x</button></form>",
        "<style>body { display: none }</style>",
        '<p style="position: fixed">x</p>',
        '<svg onload="alert(1)"></svg>',
        '<div class="site-header" id="content">x</div>',
        "<img src='\"><script>alert(1)</script>'>",
        "![x](data:text/html;base64,PHNjcmlwdD4=)",
    ],
)
def test_nothing_active_survives(attack: str) -> None:
    html = render(f"before\n\n{attack}\n\nafter").lower()
    for trace in (
        "<script",
        "onerror",
        "onclick",
        "onload",
        'href="javascript',
        "<iframe",
        "<form",
        "<style",
        "style=",
        "<svg",
        'class="site',
        'id="content',
        'href="data:',
    ):
        assert trace not in html
    assert "after" in html


def test_an_image_from_elsewhere_is_a_link_not_a_request() -> None:
    html = render("![a cat](https://tracker.example/cat.png)")
    assert "<img" not in html
    assert '<a href="https://tracker.example/cat.png"' in html
    assert ">a cat</a>" in html


def test_links_tell_search_engines_and_targets_nothing() -> None:
    assert 'rel="nofollow noopener noreferrer"' in render("[home](https://a.example)")


def test_headings_of_the_same_name_get_ids_of_their_own() -> None:
    html = render("## Use\n\n## Use\n\n## !!!")
    assert 'id="readme-use"' in html
    assert 'id="readme-use-2"' in html
    assert 'id="readme-section"' in html


def test_a_huge_readme_is_cut() -> None:
    assert len(render("x" * 300_000)) < 201_000

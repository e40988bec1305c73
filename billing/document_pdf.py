"""A document as a PDF file: the same data as its page, on A4, in a font that has most scripts."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from billing.documents import Document

_FONTS = Path(settings.BASE_DIR) / "static" / "vendor" / "dejavu"
_MARGIN = 18  # mm, as all lengths here
_LINE = 5
_INK, _MUTED, _RULE = (22, 33, 30), (96, 110, 106), (205, 214, 210)


class _Page(FPDF):
    """A4 with the number of each page at its foot."""

    foot = ""

    def footer(self) -> None:
        self.set_y(-_MARGIN)
        self.set_font("dejavu", size=7)
        self.set_text_color(*_MUTED)
        self.cell(0, _LINE, f"{self.foot}, page {self.page_no()} of {{nb}}", align="C")


def render_pdf(document: Document) -> bytes:
    """The file's bytes."""
    page = _Page(format="A4")
    page.foot = f"{document.title} {document.number}"
    page.set_title(page.foot)
    page.set_margin(_MARGIN)
    page.set_auto_page_break(True, margin=2 * _MARGIN)
    page.add_font("dejavu", fname=_font("DejaVuSans.ttf"))
    page.add_font("dejavu", style="B", fname=_font("DejaVuSans-Bold.ttf"))
    page.add_page()
    page.set_text_color(*_INK)
    page.set_draw_color(*_RULE)
    _head(page, document)
    _rows(page, document)
    _totals(page, document)
    _notes(page, document)
    return bytes(page.output())


@lru_cache(maxsize=2)
def _font(name: str) -> Path:
    path = _FONTS / name
    assert path.exists(), f"{path} belongs to the site"
    return path


def _head(page: FPDF, document: Document) -> None:
    page.set_font("dejavu", style="B", size=18)
    page.cell(0, 10, f"{document.title} {document.number}", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(4)
    top, width = page.get_y(), page.epw / 3
    bottoms = []
    facts = [f"{label}: {words}" for label, words in document.facts]
    for column, (label, lines) in enumerate([("From", document.seller), ("To", document.buyer), ("", facts)]):
        left = page.l_margin + column * width
        page.set_xy(left, top)
        page.set_font("dejavu", size=7)
        page.set_text_color(*_MUTED)
        page.cell(width, _LINE, label, new_x=XPos.LEFT, new_y=YPos.NEXT)
        page.set_font("dejavu", size=9)
        page.set_text_color(*_INK)
        for line in lines:
            page.set_x(left)
            page.multi_cell(width - 4, _LINE, line, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
        bottoms.append(page.get_y())
    page.set_xy(page.l_margin, max(bottoms) + 8)


def _rows(page: FPDF, document: Document) -> None:
    page.set_font("dejavu", size=9)
    heading = FontFace(emphasis="BOLD", color=_MUTED, size_pt=7)
    with page.table(
        borders_layout="HORIZONTAL_LINES",
        col_widths=(5, 1),
        text_align=("LEFT", "RIGHT"),
        headings_style=heading,
        line_height=_LINE,
        padding=1,
    ) as table:
        table.row(("What", "Amount"))
        for row in document.rows:
            text = f"{row.text}\n{row.detail}" if row.detail else row.text
            table.row((text, row.amount))


def _totals(page: FPDF, document: Document) -> None:
    page.ln(3)
    for label, words in document.totals:
        page.set_font("dejavu", style="B" if label.startswith("Total") else "", size=10)
        page.cell(page.epw * 5 / 6, 7, label, align="R")
        page.cell(page.epw / 6, 7, words, align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _notes(page: FPDF, document: Document) -> None:
    page.ln(4)
    page.set_font("dejavu", size=8)
    page.set_text_color(*_MUTED)
    for note in document.notes:
        page.multi_cell(0, _LINE, note, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

"""A person at a browser, on a whole site: signs up, publishes, runs, watches tokens arrive, cancels, reloads."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.plugins.live_site import COG_MODELS, LiveSite, archive_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CHROMIUM = "/usr/bin/chromium"
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
_WORDS = 60
_WHOLE_TEXT = " ".join(f"word{number}" for number in range(_WORDS))
# Notes how the text grows in the page itself: asking from outside would miss steps.
_NOTE_GROWTH = """
() => {
  window.lengths = [];
  new MutationObserver(() => {
    const length = document.querySelector('[data-slot="text"]')?.textContent.length ?? 0;
    if (length !== window.lengths.at(-1)) window.lengths.push(length);
  }).observe(document.querySelector('[data-output-pane]'), { childList: true, characterData: true, subtree: true });
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page(browser: Browser, live_site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The browser of `paula`, who has signed up and published `paula/words`, all by the pages."""
    archive = tmp_path_factory.mktemp("upload") / "words.tar.gz"
    archive.write_bytes(archive_of(COG_MODELS / "stream"))
    context = browser.new_context(base_url=live_site.base_url)
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda message: mistakes.append(message.text) if "Content Security" in message.text else None)
    _sign_up(page)
    _publish(page, archive)
    yield page
    context.close()
    assert mistakes == []


def _sign_up(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Get started").first.click()
    page.fill("[name=username]", "paula")
    page.fill("[name=email]", "paula@example.test")
    page.fill("[name=password1]", "correct horse battery")
    page.press("[name=password1]", "Enter")
    expect(page.get_by_text("paula").first).to_be_visible()


def _publish(page: Page, archive: Path) -> None:
    page.goto("/publish")
    page.fill("[name=name]", "words")
    page.set_input_files("[name=archive]", archive)
    page.click("#publish-button")
    page.wait_for_url("**/paula/words/versions/*")
    expect(page.get_by_text("Ready to run")).to_be_visible(timeout=180_000)
    page.goto("/paula/words")


def _run(page: Page, *, delay: str) -> None:
    page.goto("/paula/words")
    page.fill("#input-count", str(_WORDS))
    page.fill("#input-delay", delay)
    page.evaluate(_NOTE_GROWTH)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".status[data-status=processing]")).to_be_visible(timeout=60_000)


def _text(page: Page) -> str:
    return (page.text_content('[data-slot="text"]') or "").strip()


def test_tokens_arrive_one_after_another_and_the_end_says_what_it_cost(page: Page) -> None:
    _run(page, delay="0.03")
    expect(page.locator(".status[data-status=succeeded]")).to_be_visible(timeout=60_000)
    assert _text(page) == _WHOLE_TEXT
    assert len(page.evaluate("window.lengths")) > _WORDS / 3
    expect(page.locator(".run-line .cost")).to_contain_text("$0.0")


def test_a_reload_in_mid_run_loses_nothing(page: Page) -> None:
    _run(page, delay="0.08")
    expect(page.locator('[data-slot="text"]')).to_contain_text("word9 ")
    page.reload()
    expect(page.locator(".status[data-status=processing]")).to_be_visible()
    expect(page.locator(".status[data-status=succeeded]")).to_be_visible(timeout=60_000)
    assert _text(page) == _WHOLE_TEXT
    assert page.input_value("#input-count") == str(_WORDS)


def test_a_lost_line_is_picked_up_where_it_broke(page: Page) -> None:
    page.goto("/paula/words")
    page.evaluate(
        "() => { window.lines = []; const Real = WebSocket; window.WebSocket = class extends Real {"
        " constructor(url) { super(url); window.lines.push(this); } }; }"
    )
    page.fill("#input-count", str(_WORDS))
    page.fill("#input-delay", "0.05")
    page.keyboard.press("Control+Enter")
    expect(page.locator('[data-slot="text"]')).to_contain_text("word9 ", timeout=60_000)
    page.evaluate("() => window.lines.at(-1).close()")
    expect(page.locator(".status[data-status=succeeded]")).to_be_visible(timeout=60_000)
    assert page.evaluate("window.lines.length") > 1
    assert _text(page) == _WHOLE_TEXT


def test_a_run_is_canceled_by_a_key_and_keeps_what_it_made(page: Page) -> None:
    _run(page, delay="0.2")
    expect(page.locator('[data-slot="text"]')).to_contain_text("word3 ")
    page.keyboard.press("Escape")
    expect(page.locator(".status[data-status=canceled]")).to_be_visible(timeout=20_000)
    assert _WHOLE_TEXT.startswith(_text(page))
    assert "word3" in _text(page)
    expect(page.get_by_text("You canceled this run.")).to_be_visible()


def test_a_burst_of_thousands_of_words_arrives_whole_and_the_page_stays_awake(page: Page) -> None:
    page.goto("/paula/words")
    page.fill("#input-count", "3000")
    page.fill("#input-log_every", "0")
    page.evaluate("""() => { window.slowest = 0; let last = performance.now();
        const tick = () => { const now = performance.now(); window.slowest = Math.max(window.slowest, now - last);
        last = now; requestAnimationFrame(tick); }; requestAnimationFrame(tick); }""")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".status[data-status=succeeded]")).to_be_visible(timeout=60_000)
    assert _text(page) == " ".join(f"word{number}" for number in range(3000))
    assert page.evaluate("window.slowest") < 1000  # milliseconds between two frames, on a busy machine


def test_mistakes_are_shown_at_their_fields_and_take_the_focus(page: Page) -> None:
    page.goto("/paula/words")
    page.fill("#input-count", "many")
    page.click("[data-run-button]")
    expect(page.locator("#input-count-error")).to_contain_text("Invalid type. Expected: integer, given: string")
    expect(page.locator("[data-summary]")).to_be_focused()
    assert page.get_attribute("#input-count", "aria-invalid") == "true"


def test_programs_follow_what_is_typed(page: Page) -> None:
    page.goto("/paula/words")
    page.fill("#input-count", "17")
    expect(page.locator("#snippet-curl")).to_contain_text('"count": 17')
    page.get_by_role("button", name="Python").click()
    expect(page.locator("#snippet-python")).to_be_visible()
    expect(page.locator("#snippet-python")).to_contain_text('"count": 17')


def test_the_inputs_of_signed_out_people_survive_the_sign_in(browser: Browser, page: Page, live_site: LiveSite) -> None:
    context = browser.new_context(base_url=live_site.base_url)
    visitor = context.new_page()
    visitor.goto("/paula/words")
    visitor.fill("#input-count", "33")
    visitor.click("[data-run-button]")
    visitor.fill("[name=login]", "paula")
    visitor.fill("[name=password]", "correct horse battery")
    visitor.press("[name=password]", "Enter")
    visitor.wait_for_url("**/paula/words")
    expect(visitor.locator("#input-count")).to_have_value("33")
    context.close()

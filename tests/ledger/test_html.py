"""Pages and notebook outputs: escaped, self-contained, and looked at in a real browser."""

from __future__ import annotations

import builtins
import html
import html.parser
import json
import re
import subprocess
from itertools import pairwise

import pytest

from openrouter_resilient import Client, Ledger
from openrouter_resilient.ledger.pictures import PICTURES, as_svg, latency, who_served
from tests.browser import CHROMIUM, flags
from tests.ledger.making import START, answered_by_fallback, make_attempt, make_record, unanswered

EVIL = "<script>alert(1)</script>\"'&"
VOID = {"meta", "img", "source", "br"}


class Checker(html.parser.HTMLParser):
    """Every element that is opened is closed, in order; none is a script, nothing is fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            if name in ("src", "srcset", "href"):
                assert value.startswith("data:")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(text):
    checker = Checker()
    checker.feed(text)
    assert [] == checker.open
    assert "script" not in checker.seen
    assert EVIL not in text


@pytest.fixture
def report():
    """Forty days with an outage, failures, long names and nasty ones."""
    ledger = Ledger()
    long = "a-very-long-author-name/a-model-with-a-name-that-does-not-end-and-has-no-space-20260101"
    for number in range(400):
        at = START + number * 8_640.0
        if number % 50 < 3:
            record = answered_by_fallback(at)
        elif number == 200:
            record = unanswered(at)
        else:
            attempt = make_attempt(cost=0.001, seconds=1.0 + number % 7, model=long,
                                   models=(EVIL if number == 7 else long,), prompt_tokens=123_456,
                                   completion_tokens=7_890)  # fmt: skip
            record = make_record(attempts=(attempt,), started_at=at, kind="stream",
                                 first_token_seconds=0.4)  # fmt: skip
        ledger.add(record)
    return ledger.report()


def test_a_page_is_whole_and_self_contained(report):
    page = report.as_html()

    check(page)
    assert 2 * len(PICTURES) == page.count("data:image/svg+xml;base64,")


def test_a_notebook_shows_the_same_as_a_part(report):
    check(report._repr_html_())
    assert "<html" not in report._repr_html_()


@pytest.mark.parametrize(("title", "draw"), PICTURES, ids=[title for title, _ in PICTURES])
@pytest.mark.parametrize("width", [3.7, 8.0])
def test_a_picture_is_drawn_at_any_width(report, title, draw, width):
    svg = as_svg(draw(report, width))

    assert svg.startswith("<svg")
    assert svg == as_svg(draw(report, width))


@pytest.mark.parametrize(("title", "draw"), PICTURES, ids=[title for title, _ in PICTURES])
def test_no_two_dates_of_a_picture_touch(report, title, draw):
    for width in (3.7, 8.0):
        figure = draw(report, width)
        figure.canvas.draw()
        axes = figure.axes[-1]
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        inside = figure.bbox

        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))
        assert all(inside.x0 <= box.x0 and box.x1 <= inside.x1 for box in boxes)


def test_a_name_with_dollars_is_no_formula_in_a_picture():
    ledger = Ledger()
    ledger.add(make_record(attempts=(make_attempt(endpoint=r"our $\nonsense{$ one"),)))

    page = ledger.report().as_html()

    check(page)
    assert 2 * len(PICTURES) == page.count("data:image/svg+xml;base64,")


@pytest.mark.parametrize("draw", [who_served, latency])
def test_a_call_that_is_dated_1970_does_not_stretch_a_picture_over_all_the_days_since(draw):
    ledger = Ledger()
    for at in (0.0, START, START + 60):
        ledger.add(make_record(started_at=at))

    figure = draw(ledger.report())

    first, last = figure.axes[0].get_xlim()
    assert 399 < last - first < 420
    assert last == pytest.approx(START / 86_400, abs=10)


def test_a_page_of_a_record_without_an_answer_is_made_without_a_warning(recwarn):
    ledger = Ledger()
    ledger.add(unanswered(START))

    check(ledger.report().as_html())

    assert [] == recwarn.list


def test_without_the_extra_the_page_says_how_to_get_pictures(report, monkeypatch):
    whole = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return whole(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    page = report.as_html()

    check(page)
    assert "openrouter_resilient[notebook]" in page


def test_an_answer_shows_text_trail_and_cost_and_all_is_escaped(simulator, make_client):
    simulator.play("openrouter", "status_500")
    simulator.answer = lambda _face, _body: EVIL
    answer = make_client().complete("hi")

    shown = answer._repr_html_()

    check(shown)
    assert "&lt;script&gt;" in shown
    assert "openai:gpt-4o" in shown
    assert "server_error (500)" in shown
    check(answer.served._repr_html_())
    assert "&lt;script&gt;" not in answer.served._repr_html_()


def test_a_servers_words_and_names_are_escaped(simulator, make_client):
    answer = make_client().complete("hi")
    nasty = type(answer.served)(
        **{
            **answer.served.__dict__,
            "model": EVIL,
            "provider": EVIL,
            "warnings": (EVIL,),
            "skipped": (EVIL,),
            "attempts": (make_attempt(fault=EVIL, models=(EVIL,), retry_after=1.0),),
        }
    )

    check(nasty._repr_html_())


# What a browser says of every element: how far it reaches beyond the page, whether its text is cut
# or lies upon that of the element after it, and whether it stands out from what is behind it (the
# contrast that https://www.w3.org/TR/WCAG21/#contrast-minimum asks for).
MEASURE = """
const bad = [];
const say = (what, e) => bad.push(what + ': ' + e.outerHTML.slice(0, 90));
const rgba = text => [...text.matchAll(/[\\d.]+/g)].map(Number);
const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92
  : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
function behind(e) {
  for (; e; e = e.parentElement) {
    const c = rgba(getComputedStyle(e).backgroundColor);
    if (c[3] !== 0) return c;
  }
  return [255, 255, 255];
}
for (const e of document.querySelectorAll('.look *')) {
  const b = e.getBoundingClientRect(), s = getComputedStyle(e);
  if (!b.width || e.tagName === 'STYLE') continue;
  if (b.right > innerWidth + 1 || b.left < -1) say('beyond', e);
  const next = e.nextElementSibling && e.nextElementSibling.getBoundingClientRect();
  if (next && next.width && s.display === 'block' && next.top < b.bottom - 1
      && next.left < b.right - 1) say('overlap', e);
  if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && s.display !== 'inline') say('cut', e);
  if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) {
    const pair = [light(rgba(s.color).slice(0, 3)), light(behind(e).slice(0, 3))].sort();
    if ((pair[1] + .05) / (pair[0] + .05) < 4.5) say('pale', e);
  }
}
for (const i of document.images) if (!i.naturalWidth) bad.push('no picture');
const card = document.querySelector('.orr') || document.querySelector('.look');
const dark = light(behind(card).slice(0, 3)) < .2;
parent.document.getElementById('said').textContent = JSON.stringify([innerWidth, dark, bad]);
"""
# What JupyterLab's own style does to an output: without an answer to it, text vanishes.
JUPYTER = """
<style>.jp-RenderedHTMLCommon table{color:COLOUR;font-size:12px;table-layout:fixed}
.jp-RenderedHTMLCommon tbody tr:nth-child(even){background:STRIPE}
.jp-RenderedHTMLCommon td{max-width:none;padding:.5em}</style>
<body data-jp-theme-light=LIGHT style="background:PAPER"><div class=jp-RenderedHTMLCommon>
"""
PLAIN, SAYS_IT = "<body>", "data-jp-theme-light="


def in_a_notebook(*, light):
    colours = ("black", "#f5f5f5", "white") if light else ("white", "#222", "#111")
    text = JUPYTER.replace("LIGHT", str(light).lower())
    for name, colour in zip(("COLOUR", "STRIPE", "PAPER"), colours, strict=True):
        text = text.replace(name, colour)
    return text


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
@pytest.mark.parametrize(
    ("what", "around", "machine", "dark", "width"),
    [
        ("page", PLAIN, "light", False, 1100),
        ("page", PLAIN, "light", False, 390),
        ("page", PLAIN, "dark", True, 1100),
        ("page", PLAIN, "dark", True, 320),
        ("notebook", in_a_notebook(light=True), "light", False, 1100),
        ("notebook", in_a_notebook(light=True), "dark", False, 390),
        ("notebook", in_a_notebook(light=False), "light", True, 1100),
        ("notebook", in_a_notebook(light=False), "dark", True, 390),
        ("notebook", in_a_notebook(light=False).replace(SAYS_IT, "x="), "light", False, 390),
        ("answer", in_a_notebook(light=True), "light", False, 1100),
        ("answer", PLAIN, "light", False, 320),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else None,
)
def test_in_a_browser_nothing_overlaps_is_cut_or_is_pale(
    report, simulator, tmp_path, what, around, machine, dark, width
):
    shown = {"page": report.as_html, "notebook": report._repr_html_}.get(what)
    text = shown() if shown else an_answer(simulator)._repr_html_()
    # A script of this test's own, in a frame of the width that is wanted: a window has a least one.
    inner = (
        f"<!DOCTYPE html><meta charset=utf-8>{around}<div class=look>{text}</div>"
        f"<style>body{{margin:0}}</style><script>onload = () => {{{MEASURE}}}</script>"
    )
    frame = json.dumps(inner).replace("</", "<\\/")
    page = tmp_path / "page.html"
    page.write_text(
        f"<!DOCTYPE html><meta charset=utf-8><iframe id=f width={width} height=3000></iframe>"
        f"<pre id=said></pre><script>document.getElementById('f').srcdoc = {frame}</script>"
    )

    dom = browser(page, tmp_path / "profile", machine)

    said = re.search(r'<pre id="said">(.*?)</pre>', dom, re.DOTALL)[1]
    seen_width, seen_dark, bad = json.loads(html.unescape(said))
    assert width == pytest.approx(seen_width, abs=20)
    assert dark == seen_dark
    assert [] == bad


def an_answer(simulator):
    simulator.play("openrouter", "status_500")
    simulator.answer = lambda _face, _body: "Three rivers:\n" + "Danube, " * 40 + "x" * 300
    with Client(
        "openai/gpt-4o", fallbacks=["openai:gpt-4o"], environment=simulator.environment()
    ) as client:
        return client.complete("hi")


def browser(page, profile, machine):
    done = subprocess.run(
        [
            CHROMIUM, *flags(profile), "--virtual-time-budget=5000",
            f"--blink-settings=preferredColorScheme={int(machine == 'light')}",
            "--window-size=1400,1000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout

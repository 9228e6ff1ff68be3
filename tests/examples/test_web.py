"""The page of the example app, in a browser: what a person sees while a provider fails."""

from __future__ import annotations

import re
import signal
from importlib.util import find_spec

import pytest

from tests.browser import CHROMEDRIVER, CHROMIUM, flags
from tests.ports import free_port
from tests.processes import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or CHROMEDRIVER is None,
        reason="no Chromium with its driver is installed (Debian: chromium, chromium-driver)",
    ),
    pytest.mark.skipif(
        find_spec("flask") is None or find_spec("selenium") is None,
        reason="flask or selenium is not installed (they are in the extra `test`)",
    ),
]

FACES = ("openrouter", "openai", "groq", "anthropic")
OVERFLOW = """
return [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  const shown = box.width && !e.classList.contains('unseen');
  return shown && (box.right > innerWidth + 1 || box.left < 0);
}).map(e => e.outerHTML.slice(0, 90));
"""
NAMELESS = """
return [...document.querySelectorAll('button, textarea, select, [role]')].filter(e =>
  !(e.innerText || e.getAttribute('aria-label') || [...(e.labels || [])].some(l => l.innerText))
).map(e => e.outerHTML.slice(0, 90));
"""
CONTRAST = """
const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;  // as WCAG has it
const light = c => c.reduce((sum, v, i) => sum + linear(v / 255) * [.2126, .7152, .0722][i], 0);
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const behind = e => {
  while (e && rgb(getComputedStyle(e).backgroundColor)[3] === 0) e = e.parentElement;
  return rgb(getComputedStyle(e || document.body).backgroundColor).slice(0, 3);
};
return [...document.querySelectorAll('h1, h2, p, button, textarea, select, label')].filter(e => {
  if (!e.innerText && !e.value) return false;
  const [a, b] = [light(rgb(getComputedStyle(e).color).slice(0, 3)), light(behind(e))];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
}).map(e => e.outerHTML.slice(0, 90));
"""


@pytest.fixture
def open_browser(tmp_path):
    """A browser of a test's own, in the size that is wanted."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    opened = []

    def open_browser(width=1100, height=800, *more):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*flags(tmp_path / f"profile-{len(opened)}"), *more):
            options.add_argument(flag)
        driver = webdriver.Chrome(options, Service(CHROMEDRIVER, port=free_port()))
        opened.append(driver)
        # A window has a least width; what is shown in it has none.
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        return driver

    yield open_browser
    for driver in opened:
        driver.quit()


class Page:
    """The page as a person uses it: by what can be read on it."""

    def __init__(self, driver, app, url):
        self.driver, self.app = driver, app
        driver.get(url)

    def ask(self, question):
        self.driver.find_element("css selector", "textarea").send_keys(f"{question}\n")

    def press(self, name):
        buttons = self.driver.find_elements("css selector", "button")
        next(button for button in buttons if button.text == name).click()

    def choose(self, name):
        options = self.driver.find_elements("css selector", "option")
        next(option for option in options if option.text == name).click()

    def chosen(self):
        """The fault that is shown as being played."""
        options = self.driver.find_elements("css selector", "option")
        return [option.text for option in options if option.is_selected()]

    def answer(self):
        """All that the last answer shows."""
        return self.driver.find_elements("css selector", "article.model")[-1].text

    def texts(self):
        """What the model said in it, without what the page says of it."""
        last = self.driver.find_elements("css selector", "article.model")[-1]
        return [text.text for text in last.find_elements("css selector", ".text")]

    def wait_for(self, words):
        until(lambda: words in self.answer())

    def running(self):
        return bool(self.driver.find_elements("css selector", "[aria-busy]"))


@pytest.fixture
def open_page(start, open_browser):
    """The app as a process of its own, and its page in a browser."""

    def open_page(*arguments, width=1100, flags=(), **environment):
        app = start("web/app.py", "--port", 0, *arguments, **environment)
        for line in app.stderr:
            if found := re.search(r"Running on (http://\S+)", line):
                return Page(open_browser(width, 800, *flags), app, found[1])
        raise AssertionError(f"the app ended with {app.wait()}")

    return open_page


@pytest.fixture
def page(open_page, simulator):
    """The page of an app that has keys; they are the simulator's."""
    return open_page(**simulator.environment())


def test_an_answer_grows_word_by_word(page, simulator):
    simulator.play("stall_mid_stream", after=2)

    page.ask("Name three rivers.")
    page.wait_for("Simulated answer")

    assert page.running()
    assert ["Simulated answer"] == page.texts()
    assert "Answered by" not in page.answer()


def test_an_outage_between_two_questions_is_not_even_noticed(page, simulator):
    page.ask("Name three rivers.")
    page.wait_for("Answered by")
    assert "via openrouter" in page.answer()

    simulator.outage("openrouter")
    page.ask("And three lakes?")
    until(lambda: 2 == len(page.driver.find_elements("css selector", ".served")))

    assert ["Simulated answer to: And three lakes?"] == page.texts()
    assert "via openai" in page.answer()
    said = [m["content"] for m in simulator.requests[-1].body["messages"][1:]]
    assert [
        "Name three rivers.",
        "Simulated answer to: Name three rivers.",
        "And three lakes?",
    ] == said


def test_an_outage_in_the_middle_of_an_answer_is_told_and_the_answer_goes_on_elsewhere(
    page, simulator
):
    simulator.play("stall_mid_stream", after=2)
    page.ask("Name three rivers.")
    page.wait_for("Simulated answer")

    simulator.outage("openrouter")  # the connection breaks, and nobody listens there any more
    page.wait_for("The answer broke off here, and is not complete (openrouter: ")

    assert ["Simulated answer"] == page.texts()  # it stands as it was
    assert "Answered by" not in page.answer()
    assert 1 == len(simulator.requests)  # nothing was asked again under it
    assert not page.running()

    page.press("Go on from here")
    page.wait_for("Answered by")

    first, second = page.texts()
    assert "Simulated answer" == first
    assert second.startswith("Simulated answer to: Your answer broke off.")
    assert "via openai" in page.answer()
    roles = [(m["role"], m["content"][:16]) for m in simulator.requests[-1].body["messages"][1:]]
    assert [("user", "Name three river"), ("assistant", "Simulated answer")] == roles[:2]


def test_where_nobody_answers_it_says_so_and_keeps_the_question(page, simulator):
    for face in FACES:
        simulator.outage(face)
    page.ask("Name three rivers.")
    page.wait_for("Nobody answered, though everybody was asked. Your question is still here.")
    assert [] == [text for text in page.texts() if text]

    simulator.heal()
    page.press("Try again")
    page.wait_for("Answered by")

    assert "Simulated answer to: Name three rivers." == page.texts()[-1]


def test_a_question_that_is_refused_does_not_spoil_the_next_one(page, simulator):
    simulator.play("status_403_moderation", times=1)
    page.ask("Something forbidden.")
    page.wait_for("The question itself was refused. Ask another.")

    page.ask("Name three rivers.")
    page.wait_for("Answered by")

    assert ["Simulated answer to: Name three rivers."] == page.texts()
    assert "forbidden" not in str(simulator.requests[-1].body)


def test_an_answer_goes_on_only_while_it_is_the_last(page, simulator):
    simulator.play("cut_mid_stream", after=2, times=1)
    page.ask("Name three rivers.")
    page.wait_for("Go on from here")

    page.ask("Never mind. Lakes?")
    page.wait_for("Answered by")

    assert "Go on from here" not in page.driver.find_element("css selector", "main").text


def test_stop_hangs_up_on_the_provider(page, simulator):
    simulator.play("slow_but_steady", interval=0.2)
    simulator.answer = "word " * 1_000  # it would go on for minutes
    page.ask("Name three rivers.")
    page.wait_for("word word")

    page.press("Stop")
    page.wait_for("You stopped this answer.")

    said = [""]

    def it_has_fallen_silent():
        said.append(simulator.requests[0].answered.text)
        return 100 < len(said) and 1 == len(set(said[-100:]))

    until(it_has_fallen_silent)
    assert len(simulator.answer) > 2 * len(said[-1])


def test_an_app_that_dies_is_not_taken_for_the_end_of_an_answer(page, simulator):
    simulator.play("stall_mid_stream", after=2)
    page.ask("Name three rivers.")
    page.wait_for("Simulated answer")

    page.app.send_signal(signal.SIGKILL)
    page.wait_for("The answer broke off here, and is not complete.")

    page.ask("Still there?")
    page.wait_for("This page cannot reach its server.")


def test_what_a_model_says_is_text_and_never_code(page, simulator):
    simulator.answer = "<img src=x onerror=document.title='caught'><b>bold</b>"

    page.ask("<i>hi</i>")
    page.wait_for("Answered by")

    assert [simulator.answer] == page.texts()
    assert "An answer, whatever happens" == page.driver.title


def test_without_a_key_a_fault_can_be_chosen_on_the_page(open_page):
    page = open_page()
    page.choose("OpenRouter is down")
    page.ask("Name three rivers.")
    page.wait_for("Answered by")

    assert "via openai" in page.answer()


def test_with_a_key_there_is_nothing_to_rehearse(page):
    assert "Rehearse" not in page.driver.find_element("css selector", "body").text
    assert "Simulated" not in page.driver.find_element("css selector", "body").text


@pytest.mark.parametrize(
    ("fault", "named"),
    [("refused", "OpenRouter is down"), ("status_503", "status_503"), ("", "none, all is well")],
)
def test_the_page_says_that_it_is_simulated_and_which_fault_is_played(open_page, fault, named):
    page = open_page(f"--simulate={fault}")

    assert "Simulated: fake upstreams" in page.driver.find_element("css selector", "header").text
    assert [named] == page.chosen()
    assert [] == page.driver.execute_script(CONTRAST)


def test_a_page_that_is_loaded_again_shows_the_fault_that_goes_on(open_page):
    page = open_page()
    page.choose("answers break off half-way")
    page.ask("Name three rivers.")
    page.wait_for("broke off here")

    page.driver.refresh()

    assert ["answers break off half-way"] == page.chosen()


@pytest.mark.parametrize("width", [1100, 390, 320])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_every_width_in_light_and_dark(open_page, simulator, width, scheme):
    forced = [f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"]
    page = open_page(width=width, flags=forced, **simulator.environment())
    simulator.answer = "Danube, " * 30 + "x" * 300
    page.ask("Name three rivers. " + "y" * 200)
    page.wait_for("Answered by")
    simulator.play("cut_mid_stream", after=2)
    page.ask("Again.")
    page.wait_for("broke off here")
    for face in FACES:
        simulator.outage(face)
    page.press("Go on from here")
    page.wait_for("Nobody answered")

    seen = page.driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert (scheme == "dark") == seen
    assert [] == page.driver.execute_script(OVERFLOW)
    assert [] == page.driver.execute_script(NAMELESS)
    assert [] == page.driver.execute_script(CONTRAST)

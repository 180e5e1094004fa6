"""The page in a headless Chromium: it draws without errors or network, and everything works by keyboard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import made_up
import numpy as np
import pytest
from chromium import Chromium, find

from xvcodec.rd import page
from xvcodec.rd.page.pictures import Budget
from xvcodec.rd.view import Study

pytestmark = [pytest.mark.browser,
              pytest.mark.skipif(find() is None, reason="no Chromium: put one on the PATH or set XVC_CHROMIUM")]
pytest.importorskip("bjontegaard", reason="the extra rd is not installed")

SHOWN = "document.querySelector('.stage').dataset.shown"
PRESSED = "document.querySelector('#{} [aria-pressed=true][data-value={}]') !== null"


def decode(file: Path, codec: str | None) -> Iterator[np.ndarray]:
    """Noise that differs between codecs and frames."""
    seed = np.random.default_rng(len(codec or ""))
    for _ in range(8):
        yield seed.integers(0, 256, (48, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    results = made_up.study()
    for number, row in enumerate(results["points"]):
        row["encode_s"] = 0.1 * 4 ** (number % 4)  # slow at high rates, as codecs are
    study = Study(results)
    sources = {clip: Path(clip) for clip in study.clips}
    return page.write(study, folder, sources, budget=Budget(frames=4), decode=decode).as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = find()
    assert program is not None
    with Chromium(program, tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


@pytest.fixture
def tab(browser: Chromium, address: str) -> Iterator[Chromium]:
    """The page, freshly loaded in light colours; a test fails for anything it logs and any request it makes."""
    browser.media(prefers_color_scheme="light")
    browser.resize(1400, 900)
    browser.log.clear()
    browser.requests.clear()
    browser.open(address)
    yield browser
    assert browser.log == []
    assert [url for url in browser.requests if not url.startswith(("file:", "blob:", "about:"))] == []


def look_at(tab: Chromium, part: str) -> None:
    tab.run("document.documentElement.style.scrollBehavior = 'auto'")
    tab.run(f"document.getElementById('{part}').scrollIntoView()")


def narrow(tab: Chromium, width: int) -> None:
    """Another width of the window; ends when the charts are drawn again."""
    tab.resize(width, 800)
    tab.until("['plot', 'speed-plot'].every((name) => document.querySelector(`#${name} svg`).viewBox.baseVal.width"
              " === document.getElementById(name).clientWidth)")


def test_it_draws_curves_cards_and_the_table(tab: Chromium) -> None:
    assert tab.run("document.querySelectorAll('#plot path.curve').length") == 3
    assert tab.run("document.querySelectorAll('#multiples button').length") == 4
    assert tab.run("[...document.querySelectorAll('.card .figure')].map((one) => one.textContent)") == \
        ["+50.0% bits", "+25.0% bits", "reference"]
    assert tab.run("document.querySelectorAll('.bd tbody tr').length") == 2
    assert tab.run("document.querySelectorAll('#speed-plot .mark').length") == 3
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")


def test_bars_of_speed_stay_in_their_plot(tab: Chromium) -> None:
    edges = tab.run("(() => { const grid = document.querySelector('#speed-plot .baseline');"
                    " const bars = [...document.querySelectorAll('#speed-plot g[data-codec] line')];"
                    " return [grid, ...bars].map((line) => [line.x1.baseVal.value, line.x2.baseVal.value]); })()")
    (left, right), *bars = edges
    assert len(bars) >= 3
    assert all(left <= low < high <= right for low, high in bars if low != high)


def test_hovering_a_point_tells_its_values(tab: Chromium) -> None:
    look_at(tab, "curves")
    x, y = tab.run("(() => { const box = document.querySelector('#plot .mark').getBoundingClientRect();"
                   " return [box.x + box.width / 2, box.y + box.height / 2]; })()")
    tab.mouse("mouseMoved", x, y)
    tab.until("document.getElementById('tip').textContent.includes('bpp')")
    tab.mouse("mouseMoved", 5, 5)
    tab.until("document.getElementById('tip').hidden")


def test_arrow_keys_walk_the_curves(tab: Chromium) -> None:
    tab.run("document.querySelector('#plot svg').focus()")
    tab.press("ArrowRight")
    first = tab.run("document.getElementById('tip').textContent")
    tab.press("ArrowRight")
    second = tab.run("document.getElementById('tip').textContent")
    tab.press("ArrowDown")
    assert first != second and "crossmodal" in second and "x264" in tab.run("document.getElementById('tip').textContent")


def test_keys_change_axis_metric_clip_and_theme_and_the_address_keeps_them(tab: Chromium) -> None:
    for key in "lm]t":
        tab.press(key)
    assert tab.run("location.hash") == "#x=linear&metric=msssim&clip=bees&theme=dark"
    assert tab.run(PRESSED.format("globals", "msssim")) and tab.run("document.documentElement.dataset.theme") == "dark"
    assert "bees" in tab.run("document.getElementById('curves-what').textContent")


def test_the_address_may_be_hostile(tab: Chromium, address: str) -> None:
    tab.open(f"{address}#metric=nothing&clip=%3Cimg%3E&method=pchip&hidden=1&constructor=1")
    assert tab.run(PRESSED.format("savings-controls", "pchip")) and tab.run(PRESSED.format("globals", "psnr"))


def test_hidden_codecs_leave_the_charts(tab: Chromium) -> None:
    tab.run("document.querySelector('#legend button').click()")
    assert tab.run("document.querySelectorAll('#plot path.curve').length") == 2
    assert tab.run("document.activeElement.getAttribute('aria-pressed')") == "false"


def test_another_reference_and_quality_redraw_the_table(tab: Chromium) -> None:
    tab.run("(() => { const menu = document.querySelector('#globals select'); menu.value = 'libx264:preset=medium';"
            " menu.dispatchEvent(new Event('change')); })()")
    assert tab.run("document.querySelector('.bd .mean:not(th)').textContent").startswith("+20.0 %")
    tab.run("document.querySelector('#savings-controls [data-value=quality]').click()")
    assert "dB" in tab.run("document.querySelector('.bd .mean:not(th)').textContent")


def test_the_viewer_works_by_keyboard(tab: Chromium) -> None:
    look_at(tab, "viewer")
    steps = {"1": "source", "2": "a", "3": "b", " ": "a", "w": "a b", "s": "source a b", "d": "a b"}
    for key, shown in steps.items():
        tab.press(key)
        assert tab.run(SHOWN) == shown, key
    tab.press("1")
    before = tab.run("document.querySelector('.pane img').src")
    tab.press("ArrowRight")
    assert tab.run("document.querySelector('.pane img').src") != before
    assert "frame 4 of 8" in tab.run("document.querySelector('.slot').textContent")
    tab.press("z")
    assert "scale(2)" in tab.run("document.querySelector('.pane img').style.transform")
    tab.press("n")
    assert tab.run("document.querySelector('.strip select').selectedOptions[0].textContent") == "coffee"
    tab.press("a")
    assert tab.run("document.querySelector('[data-slot=a] select').value") == "libx264:preset=medium"
    for key in "bbrxxp":
        tab.press(key)
    assert tab.run("[...document.querySelectorAll('.pane img')].every((image) => image.src.startsWith('blob:'))")


def test_every_picture_decodes(tab: Chromium) -> None:
    look_at(tab, "viewer")
    for _ in range(3):
        for key in "123":
            tab.press(key)
        assert tab.run("Promise.all([...document.querySelectorAll('.pane img')].map((image) => image.decode()))"
                       ".then(() => document.querySelector('.pane img').naturalWidth)") == 64
        tab.press("n")


def test_dragging_moves_the_wipe(tab: Chromium) -> None:
    look_at(tab, "viewer")
    tab.press("w")
    x, y, width = tab.run("(() => { const box = document.querySelector('.stage').getBoundingClientRect();"
                          " return [box.x, box.y + box.height / 2, box.width]; })()")
    tab.mouse("mousePressed", x + 0.5 * width, y)
    tab.mouse("mouseMoved", x + 0.25 * width, y)
    tab.mouse("mouseReleased", x + 0.25 * width, y)
    assert float(tab.run("document.querySelector('.divider').style.left").rstrip("%")) == pytest.approx(25.0, abs=0.5)


def test_help_opens_and_closes_and_a_phone_is_wide_enough(tab: Chromium) -> None:
    tab.press("?")
    assert tab.run("document.getElementById('help').open")
    tab.press("Escape")
    assert not tab.run("document.getElementById('help').open")
    narrow(tab, 400)
    assert tab.run("document.documentElement.scrollWidth") <= 400


def test_what_has_to_be_known_is_told(tab: Chromium, tmp_path: Path) -> None:
    data = made_up.study(notes=["The ladders cover 30..35 dB."])
    data["points"] = [point for point in data["points"] if (point["clip"], point["codec"]) != ("frost", "crossmodal")
                      or point["crf"] == 24.0]
    tab.open(page.write(Study(data), tmp_path, {}, decode=decode).as_uri())
    assert tab.run("document.getElementById('notes').textContent") == "The ladders cover 30..35 dB."
    assert "vmaf was not measured: No program." in tab.run("document.getElementById('about-text').textContent")
    assert "crossmodal has no figure for frost: the codec has 1 point" in tab.run(
        "document.getElementById('savings-note').textContent")


@pytest.mark.parametrize("width", [1400, 390])
def test_names_cover_neither_marks_nor_each_other(tab: Chromium, width: int) -> None:
    narrow(tab, width)
    boxes = tab.run("[...document.querySelectorAll('#speed-plot .name, #speed-plot .mark')].map((one) => {"
                    " const box = one.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; })")
    assert len(boxes) == 6
    for first, second in itertools.combinations(boxes, 2):
        assert first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] + 3 or second[3] <= first[1] + 3


def test_the_viewer_on_a_phone(tab: Chromium) -> None:
    narrow(tab, 390)
    look_at(tab, "viewer")
    tab.press("w")
    left, right = tab.run("[...document.querySelectorAll('.badge')].map((one) => one.getBoundingClientRect())"
                          ".map((box) => [box.left, box.right])")
    assert left[1] < right[0] < right[1] <= 390
    tab.press("s")
    tops = tab.run("[...document.querySelectorAll('.pane')].map((pane) => pane.getBoundingClientRect().top)")
    assert tops == sorted(set(tops)), "one below the other"
    assert tab.run("document.getElementById('viewer').getBoundingClientRect().top >= 0"), "no header covers the heading"


def test_dark_is_what_the_system_says(browser: Chromium, address: str) -> None:
    browser.media(prefers_color_scheme="dark")
    browser.open(address)
    assert browser.run("document.documentElement.dataset.theme") == "dark"

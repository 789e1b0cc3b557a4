"""report.html driven in a real browser, without a network: sort, switch, open, hover, keys,
colours, widths, print."""

import base64
import json
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_run import LENGTHS, done, make_full_run, make_run

from bench.evaluation.pairs import pairs
from bench.page.page import write_page
from bench.page.views import views_of
from bench.plugins.registry import load
from bench.scoring.protocols import process
from bench.tables.comparison import compare
from bench.tables.kinds import open_source

REGISTRY = load()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The run with everything; its page is written."""
    run = make_full_run(tmp_path_factory.mktemp("run"))
    source = open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])
    write_page(source, run.path / "report.html")
    return source


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; a skip where there is none, but a failure where CI=true promises
    one."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"no {' and no '.join(missing)}: apt-get install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(report, browser):
    """The page, newly opened on a wide screen in light colours; no message on the console and no
    request when the test is over."""
    screen(browser, 1400)
    media(browser, "light")
    browser.get((report.run.path / "report.html").as_uri())
    yield browser
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked and all(url.startswith(("file://", "data:")) for url in asked)


def screen(browser, width, height=900):
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def media(browser, colours, kind=""):
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": kind, "features": [{"name": "prefers-color-scheme", "value": colours}]},
    )


def find(page, selector):
    return page.find_element("css selector", selector)


def texts(page, selector):
    return [element.text for element in page.find_elements("css selector", selector)]


def choose(page, select, text):
    from selenium.webdriver.support.select import Select

    Select(find(page, select)).select_by_visible_text(text)


def shown_numbers(page):
    """Label -> number of the table that is visible, as a reader sees it."""
    script = """return [...document.querySelectorAll('#table [data-view]:not([hidden]) tr[data-method]')]
        .map(row => [row.cells[0].firstChild.textContent, row.cells[1].firstChild.textContent])"""
    return dict(page.execute_script(script))


def press(page, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(*keys).perform()


def colour(page, selector="body", of="backgroundColor"):
    found = page.execute_script(
        "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, of
    )
    return [float(part) for part in re.findall(r"[\d.]+", found)][:3]


def test_switching_the_protocol_switches_the_numbers(page, report):
    """To the strings that the tables print under that protocol; the caption, the ROC list and the
    clips follow."""
    for name in ("ddl", "macro17", "raw", "median17"):
        choose(page, "#protocol", name)
        table = compare(report.run_scores, REGISTRY.protocols[name], report.metric)
        expected = {row.name: row.cells[0].shown for row in table.rows if row.cells[0].shown}
        assert expected.items() <= shown_numbers(page).items()
        assert f"Protocol {name}:" in find(page, "#table [data-view]:not([hidden]) caption").text
        listed = [text.split() for text in texts(page, "#roc tbody tr")]
        assert listed and all(expected[row[0]] == row[1] for row in listed if row[0] in expected)
        assert (
            f"protocol {name}" in find(page, "#by-clip caption").text
            and f"Protocol {name}:" in find(page, "#clip").text
        )


def test_sorting_keeps_trivial_methods_apart(page):
    """Down, up, and back; rows without a number after the others; said to those who hear the
    page."""
    original = list(shown_numbers(page))
    heading = "#comparison-1 thead th:nth-child(2)"
    for direction, sign in (("descending", -1), ("ascending", 1)):
        find(page, f"{heading} button").click()
        assert (
            find(page, heading).get_attribute("aria-sort") == direction
            and direction in find(page, "#sorted").text
        )
        shown = shown_numbers(page)
        assert list(shown)[-1] == "frame-index"
        values = [
            float(value)
            for label, value in shown.items()
            if label not in ("frame-index", "mamc") and value not in ("failed",)
        ]
        assert values == sorted(values, key=lambda value: sign * value) and len(values) == 4
        assert set(list(shown)[4:6]) == {"half", "mamc"}
    find(page, f"{heading} button").click()
    assert (
        list(shown_numbers(page)) == original
        and find(page, heading).get_attribute("aria-sort") == "none"
    )


def address(page):
    """The part of the address that keeps what is chosen, once it is written."""
    time.sleep(0.3)
    return page.execute_script("return location.hash")


def test_rows_open_their_facts(page, report):
    """By keyboard, below the row, where sorting leaves them; the numbers of seeds are those of the
    protocol."""
    from selenium.webdriver.common.keys import Keys

    button = find(page, "#comparison-1 tr[data-method='0'] .open")
    page.execute_script("arguments[0].focus()", button)
    press(page, Keys.ENTER)
    assert (
        button.get_attribute("aria-expanded") == "true" and button == page.switch_to.active_element
    )
    assert (
        page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
        == "solid"
    )
    for name in ("median17", "raw"):
        choose(page, "#protocol", name)
        (which,) = [view.protocol for view in views_of(report) if view.protocol.name == name]
        seeds = [
            f"seed {one.cell.seed} {100 * one.result.value:.2f}"
            for one in report.run_scores.measure([which], [report.metric])
            if one.cell.label == "c3dsu" and not one.scene
        ]
        shown = find(page, "#table [data-view]:not([hidden]) tr.facts")
        assert f"made: {', '.join(seeds)}" in shown.text and "Cost" in shown.text
        find(page, "#table [data-view]:not([hidden]) th.measured .sort").click()
        before = page.execute_script(
            "return arguments[0].previousSibling.dataset.method",
            find(page, "#table [data-view]:not([hidden]) tr.facts"),
        )
        assert before == "0"
    assert address(page) == "#protocol=raw&sort=made&sort=ascending&open=c3dsu"


def test_filters_hide_rows_and_columns(page):
    """A family, what a method learns from, a dataset; what is left says that it is not all."""
    choose(page, "#family", "trivial")
    assert shown_rows(page) == ["frame-index"]
    assert texts(page, "#comparison-1 tr.family:not([hidden])") == ["trivial"]
    assert (
        find(page, "#sorted").text
        == "1 of 7 rows are shown; marks, ranks and groups are those of all rows."
    )
    choose(page, "#family", "all")
    choose(page, "#supervision", "not stated")
    assert shown_rows(page) == ["mamc"]
    choose(page, "#supervision", "all")
    assert len(shown_rows(page)) == 7 and find(page, "#sorted").text == ""


def shown_rows(page):
    return [
        text.partition("\n")[0]
        for text in texts(page, "#comparison-1 tr[data-method] .open")
        if text
    ]


def test_two_methods_are_compared_as_the_command_does(page, report):
    """The sentence of `bench compare`, with the line that gives all values; in either order, under
    the chosen protocol; the reason where there is no test."""
    for protocol in ("median17", "raw"):
        choose(page, "#protocol", protocol)
        choose(page, "#first", "pca")
        choose(page, "#second", "c3dsu")
        (pair,), _ = pairs(
            report.run, ("c3dsu", "pca"), (), REGISTRY.protocols[protocol], report.metric
        )
        shown = find(page, "#pair").text
        assert pair.conclusion() in shown and all(remark in shown for remark in pair.remarks())
        assert f"bench compare RUN c3dsu pca --dataset made --protocol {protocol}" in shown
        choose(page, "#second", "half")
        assert find(page, "#pair").text == "made: no number of half."
    choose(page, "#second", "pca")
    assert find(page, "#pair").text == "Choose two different methods."


def test_a_link_shows_what_was_chosen(page, report):
    """Everything that the page keeps in its address is there again where the address is opened; what
    a report does not have is named."""
    choose(page, "#protocol", "ddl")
    choose(page, "#family", "reconstruction")
    choose(page, "#seed", "1")
    choose(page, "#first", "c3dsu")
    choose(page, "#second", "pca")
    for selector in (".open", "th.published .sort"):
        page.execute_script(
            "arguments[0].click()", find(page, f"#table [data-view]:not([hidden]) {selector}")
        )
    find(page, ".clip:nth-child(3)").click()
    page.execute_script("document.querySelector('#clip').show(7)")
    kept = address(page)
    seen = state_of(page)
    page.get("about:blank")
    page.get((report.run.path / "report.html").as_uri() + kept)
    assert state_of(page) == seen and address(page) == kept
    assert seen["protocol"] == "ddl" and seen["frame"].startswith("Frame 7:")
    page.execute_script("location.hash = 'protocol=raw&open=lost&clip=99'")
    time.sleep(0.1)
    assert find(page, "#not-here").text == (
        "The link asks for what is not in this report: method lost, clip 99."
    )
    assert state_of(page)["protocol"] == "raw" and address(page) == "#protocol=raw"
    page.execute_script("location.hash = 'clips'")
    assert address(page) == "#protocol=raw&section=clips"


def state_of(page):
    """What a reader sees of the choices."""
    script = """return {
        protocol: document.querySelector('#protocol').selectedOptions[0].text,
        family: document.querySelector('#family').selectedOptions[0].text,
        seed: document.querySelector('#seed').selectedOptions[0].text,
        rows: [...document.querySelectorAll('#table [data-view]:not([hidden]) tbody tr:not([hidden])')].map(row => row.innerText),
        pair: document.querySelector('#pair').innerText,
        clip: document.querySelector('#clip h3').innerText,
        frame: document.querySelector('#clip caption').innerText,
    }"""
    return page.execute_script(script)


def test_hovering_a_clip(page, report):
    """The cursor, the scores of the frame under it, and the nearest kept images of the chosen
    method."""
    from selenium.webdriver import ActionChains

    find(page, ".clip:nth-child(1)").click()
    choose(page, "#clip select", "c3dsu")
    plot = find(page, ".timeline svg")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    ActionChains(page).move_to_element_with_offset(plot, 0, 0).perform()
    frame = int(find(page, ".timeline").get_attribute("aria-valuenow"))
    assert 18 <= frame <= 21
    cell = report.run.cells()[0]
    scores = report.run.scores(cell)["01"]
    value = process(scores.values, report.protocol)[list(scores.frames).index(frame)]
    rows = {row.split()[0]: row.split()[1] for row in texts(page, "#clip .readout tbody tr")}
    assert abs(float(rows["c3dsu"]) - value) < 0.005 and "ae_conv[x=1]" in rows
    assert (
        find(page, "#clip caption").text
        == f"Frame {frame}: {'anomalous' if 12 <= frame < 20 else 'normal'}"
    )
    nearest = min(range(0, 40, 8), key=lambda kept: abs(kept - frame))
    images = page.find_elements("css selector", "#clip img")
    assert (
        texts(page, "#clip figcaption") == ["frame", "reconstruction", "error map"]
        and f"frame {nearest}" in find(page, ".image-head").text
    )
    for image, kind in zip(images, ("frame", "reconstruction", "error")):
        content = (
            report.run.cell_path(cell) / "images" / "01" / f"{nearest:05d}-{kind}.jpg"
        ).read_bytes()
        assert base64.b64decode(image.get_attribute("src").partition(",")[2]) == content
        assert page.execute_script("return arguments[0].naturalWidth", image) == 16
    ActionChains(page).move_to_element_with_offset(plot, 300, 20).perform()
    assert int(find(page, ".timeline").get_attribute("aria-valuenow")) > frame


def test_missing_images_are_said(page):
    """A method without error maps, one that is no network, and the command for a clip of which none
    were kept."""
    choose(page, "#clip select", "ae_conv[x=1]")
    assert texts(page, "#clip figcaption") == ["frame", "reconstruction"]
    assert "No error map: ae_conv[x=1] gives none." in find(page, "#clip").text
    if "pca" not in texts(page, "#clip select option"):
        find(page, "#clips .chips").find_element("xpath", ".//button[.='pca']").click()
    choose(page, "#clip select", "pca")
    assert "No images of pca: images come from networks" in find(page, "#clip").text
    assert texts(page, "#clip figcaption") == ["frame"]
    find(page, ".clip:nth-child(3)").click()
    choose(page, "#clip select", "c3dsu")
    line = find(page, "#clip pre").text
    assert (
        line.startswith("bench run --methods c3dsu --datasets made ")
        and " --keep images" in line
        and " --force c3dsu" in line
    )


def test_keys_do_all(page):
    """Tab reaches the clips and the timeline, arrows move the cursor, Escape closes and gives the
    focus back."""
    from selenium.webdriver.common.keys import Keys

    press(page, Keys.ESCAPE)
    assert not find(page, "#clip").is_displayed()
    seen = []
    page.execute_script("document.querySelector('nav a').focus()")
    for _ in range(60):
        press(page, Keys.TAB)
        seen.append(
            page.execute_script(
                "return document.activeElement.className || document.activeElement.id"
            )
        )
        if seen[-1] == "clip":
            break
    assert {"protocol", "theme", "sort", "chip", "clip"} <= set(seen)
    assert (
        page.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
        == "solid"
    )
    press(page, Keys.ENTER)
    assert find(page, "#clip").is_displayed()
    while page.execute_script("return document.activeElement.className") != "timeline":
        press(page, Keys.TAB)
    at = int(find(page, ".timeline").get_attribute("aria-valuenow"))
    cursor = find(page, ".cursor").get_attribute("d")
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT, Keys.ARROW_RIGHT)
    assert (
        int(find(page, ".timeline").get_attribute("aria-valuenow")) == at + 2
        and find(page, ".cursor").get_attribute("d") != cursor
    )
    assert f"frame {at + 2}, " in find(page, ".timeline").get_attribute("aria-valuetext")
    press(page, Keys.END, Keys.PAGE_DOWN)
    assert find(page, ".timeline").get_attribute("aria-valuenow") == str(LENGTHS["01"] - 11)
    press(page, Keys.HOME, Keys.ARROW_LEFT)
    assert find(page, ".timeline").get_attribute("aria-valuenow") == "0"
    press(page, Keys.ESCAPE)
    assert not find(page, "#clip").is_displayed()
    assert page.execute_script("return document.activeElement.className") == "clip"


def test_methods_and_seeds_are_chosen(page, report):
    """A chip adds a curve to both plots, with a colour and dash of its own; the seed changes the
    curve."""
    before = len(page.find_elements("css selector", ".timeline .curve"))
    (chip,) = [
        chip for chip in page.find_elements("css selector", "#clips .chip") if chip.text == "half"
    ]
    if chip.get_attribute("aria-pressed") == "true":
        chip.click()
        before -= 1
        (chip,) = [
            chip
            for chip in page.find_elements("css selector", "#clips .chip")
            if chip.text == "half"
        ]
    chip.click()
    curves = page.find_elements("css selector", ".timeline .curve")
    assert (
        len(curves)
        == before + 1
        == len(page.find_elements("css selector", "#roc .roc > svg .curve"))
    )
    styles = {
        (curve.get_attribute("stroke"), curve.get_attribute("stroke-dasharray")) for curve in curves
    }
    assert len(styles) == len(curves)
    drawn = {curve.get_attribute("d") for curve in curves}
    choose(page, "#seed", "1")
    changed = {
        curve.get_attribute("d") for curve in page.find_elements("css selector", ".timeline .curve")
    }
    assert len(drawn & changed) == len(curves) - 1
    (mamc,) = [
        chip for chip in page.find_elements("css selector", "#clips .chip") if chip.text == "mamc"
    ]
    assert not mamc.is_enabled()


def test_clip_by_clip_says_one_class(page):
    """The clip of one class has a dash with its reason in every column, and the others the numbers
    that Python wrote."""
    rows = [text.split() for text in texts(page, "#by-clip tbody tr")]
    assert [row[0] for row in rows] == list(LENGTHS) and rows[1][1] == "–"
    assert (
        "every scored frame is anomalous, and one class alone has no auc"
        in find(page, "#by-clip caption").text
    )
    assert find(page, "#by-clip tbody tr:nth-child(2) td.none").get_attribute("title")
    number = find(page, "#by-clip tbody tr:nth-child(1) td").text
    assert re.fullmatch(r"\d+\.\d\d", number)
    find(page, "#by-clip tbody tr:nth-child(3) button").click()
    assert find(page, "#clip h3").text == "Clip 03"


def test_training_shows_sigma(page):
    """Loss and sigma(l) of the method that has them."""
    assert texts(page, "#training h3") == ["c3dsu: loss", "c3dsu: σ(l)"]
    assert "seed 0: 0.51 → 0.53; seed 1: 0.61 → 0.63" in find(page, "#training").text


def test_datasets_are_switched(browser, tmp_path):
    """Clips, curves and numbers of the other dataset; a method that has none there cannot be
    chosen."""
    run = make_run(tmp_path, [done("pca"), done("mnad")])
    first, second = run.cells()
    other = replace(
        second,
        dataset="other",
        dataset_display_name="Other",
        dataset_folder="other",
        folder="cells/mnad/other/0",
    )
    record = run.dataset("made")
    run.write_dataset(replace(record, name="other", label="other", clips=record.clips[1:]))
    run.write_cell(other)
    run.write_scores(
        other, {clip: scores for clip, scores in run.scores(second).items() if clip != "01"}
    )
    run.write_manifest(replace(run.manifest, cells=[vars(cell) for cell in (first, second, other)]))
    source = open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])
    write_page(source, tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri())
    assert [text.split()[0] for text in texts(browser, ".clip")] == ["01", "02", "03"]
    choose(browser, "#dataset", "Other")
    assert [text.split()[0] for text in texts(browser, ".clip")] == ["02", "03"] and find(
        browser, "#clip h3"
    ).text == "Clip 02"
    assert [
        chip.text
        for chip in browser.find_elements("css selector", "#roc .chip")
        if chip.is_enabled()
    ] == ["mnad"]
    (row,) = [row for row in source.comparison.rows if row.name == "mnad"]
    assert texts(browser, "#roc tbody tr") == [f"mnad {row.cells[1].shown}"]
    find(browser, "#filters .chip").click()
    assert [text for text in texts(browser, "#comparison-1 th.measured") if text] == ["Other"]
    assert address(browser) == "#dataset=other&column=other&clip=02"
    find(browser, "#filters .chip").click()
    assert len([text for text in texts(browser, "#comparison-1 th.measured") if text]) == 2


def test_label_sets_are_switched(browser, tmp_path):
    """Numbers, ground truth and captions of the other label set, under each protocol."""
    run = make_run(tmp_path, [done("pca"), done("mnad")], label_sets=("frame", "pixel"))
    source = open_source(run, REGISTRY, REGISTRY.protocols["median17"], REGISTRY.metrics["auc"])
    write_page(source, tmp_path / "report.html")
    browser.get((tmp_path / "report.html").as_uri() + "#protocol=raw&labels=pixel")
    table = compare(
        source.run_scores, replace(REGISTRY.protocols["raw"], labels="pixel"), source.metric
    )
    other = {row.name: row.cells[0].shown for row in table.rows}
    assert shown_numbers(browser) == other
    assert "Labels: pixel" in find(browser, "#table [data-view]:not([hidden]) caption").text
    first = find(browser, ".truth").get_attribute("style")
    choose(browser, "#labels", "of the dataset")
    assert shown_numbers(browser) != other and "labels" not in address(browser)
    assert find(browser, ".truth").get_attribute("style") != first


def test_hostile_text_did_nothing(page):
    """The title is still ours, and no image or script came out of a label."""
    name = Path(page.current_url).parent.name
    assert page.title == f"{name}: 6 methods on made and absent – bench report"
    assert page.find_elements("css selector", "section script, img[src=x]") == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_colours_follow_the_system_and_the_switch(page, colours):
    """Text stands out from the paper by 7 to 1 (WCAG AAA), softer text by 4.5 to 1, curves by 3 to
    1."""
    other = {"light": "dark", "dark": "light"}[colours]
    media(page, other)
    choose(page, "#theme", colours)
    assert (np.mean(colour(page)) > 128) == (colours == "light")
    choose(page, "#theme", "as the system")
    assert (np.mean(colour(page)) > 128) == (colours == "dark")
    media(page, colours)
    paper = colour(page)
    assert contrast(colour(page, of="color"), paper) >= 7
    assert (
        contrast(colour(page, "caption", "color"), paper) >= 4.5
        and contrast(colour(page, "nav a", "color"), paper) >= 4.5
    )
    for number in range(8):
        page.execute_script(
            "document.querySelector('.counts').style.color = `var(--c${arguments[0]})`", number
        )
        assert contrast(colour(page, ".counts", "color"), paper) >= 3, number


def contrast(one, other):
    """Return the contrast ratio of two sRGB colours (WCAG 2.2)."""

    def luminance(rgb):
        linear = [
            part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4
            for part in rgb
        ]
        return np.dot([0.2126, 0.7152, 0.0722], linear) + 0.05

    high, low = sorted([luminance(one), luminance(other)], reverse=True)
    return high / low


@pytest.mark.parametrize("width", [1400, 768, 400, 360])
def test_page_does_not_scroll_sideways(page, width):
    """On a wide and a narrow screen, with all details open; tables scroll in their box."""
    screen(page, width)
    for method in page.find_elements("css selector", "#comparison-1 .open"):
        page.execute_script("arguments[0].click()", method)
    choose(page, "#first", "c3dsu")
    choose(page, "#second", "pca")
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    find(page, ".clip:nth-child(2)").click()
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    plot = find(page, ".timeline svg").rect
    assert plot["width"] > 0.7 * min(width, 1200)


def test_print_has_tables_and_no_controls(page):
    """The open clip, every table, light paper; no control; the folded tables open for the time of
    printing."""
    choose(page, "#theme", "dark")
    media(page, "dark", "print")
    assert not any(
        element.is_displayed()
        for element in page.find_elements("css selector", "nav, form, .chips, #clip-list, .buttons")
    )
    assert (
        find(page, "#clip").is_displayed()
        and find(page, "#comparison-1").is_displayed()
        and np.mean(colour(page, "html", "color")) < 128
    )
    media(page, "dark")
    page.execute_script(
        "addEventListener('beforeprint', () => { window.unfolded = document.querySelectorAll('#more details[open]').length; })"
    )
    printed = base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])
    folded = page.find_elements("css selector", "#more details")
    assert printed.startswith(b"%PDF") and folded
    assert page.execute_script("return window.unfolded") == len(folded)
    assert page.find_elements("css selector", "#more details[open]") == []

"""What no route has: a page for browsers, a line of text for programs."""
import pytest
from kit.http import Http, get

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=1)


@pytest.mark.parametrize("accept", [
    BROWSER, "text/html", "Text/HTML;q=0.5", "*/*, text/html ;level=1",
    "image/png,,\ttext/html"])
def test_browsers_get_a_page(kennel, accept):
    r = get(kennel, "/nowhere", fields=[("Accept", accept)])
    assert r.status == 404
    assert r["Content-Type"] == "text/html;charset=utf-8"
    assert "/nowhere" in r.text and 'href="/"' in r.text
    assert not r.keeps


@pytest.mark.parametrize("accept", [
    None, "*/*", "text/plain", "application/json", "text/html;q=0",
    "text/html; q=0.000", "text/htmlx", "text", "", ",", ";q=1"])
def test_others_get_text(kennel, accept):
    r = get(kennel, "/nowhere",
            fields=[] if accept is None else [("Accept", accept)])
    assert (r.status, r["Content-Type"]) == (404, "text/plain")
    assert r.text == "Not Found\n"


def test_the_path_is_shown_and_not_run(kennel):
    r = get(kennel, "/a<script>\"'&amp;%3Cb%3E", fields=[("Accept", BROWSER)])
    assert r.status in (400, 404)
    if r.status == 404:
        assert "<script" not in r.text and "&lt;script" in r.text
    r = get(kennel, "/%3Cscript%3E&x='", fields=[("Accept", BROWSER)])
    assert "/%3Cscript%3E&amp;x=&#39;" in r.text


def test_a_long_path_is_cut(kennel):
    r = get(kennel, "/" + "&" * 6000, fields=[("Accept", BROWSER)])
    assert r.status == 404
    assert len(r.body) < 3000 and "…</code>" in r.text


def test_head_has_no_body(kennel):
    with Http(kennel.address) as c:
        h = c.ask("HEAD", "/nowhere", [("Accept", BROWSER)])
        assert c.read_all() == b""
    g = get(kennel, "/nowhere", fields=[("Accept", BROWSER)])
    assert (h.status, h["Content-Length"]) == (404, g["Content-Length"])


def test_it_takes_no_place_and_is_counted(kennel):
    before = kennel.status()["totals"]
    for _ in range(5):
        get(kennel, "/nowhere", fields=[("Accept", BROWSER)])
    after = kennel.status()["totals"]
    assert after["refused"] - before["refused"] == 5
    assert after["handed"] == before["handed"]
    kennel.exact()

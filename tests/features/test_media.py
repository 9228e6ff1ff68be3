"""Pictures and files in messages, from whatever holds them; and who is not asked with them."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest

from openrouter_resilient import RoutesExhausted, file, image
from openrouter_resilient.features.media import as_messages

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
JPEG = b"\xff\xd8\xff\xe0" + b"pixels"
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8 "
PDF = b"%PDF-1.7\n%pages"
URL = "https://example.org/river.png"


def url_of(part):
    return part["image_url"]["url"]


def data_url(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(PNG, "image/png"), (JPEG, "image/jpeg"), (b"GIF89a", "image/gif"), (WEBP, "image/webp")],
)
@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview])
def test_bytes_are_told_by_how_they_begin(data, kind, wrap):
    assert data_url(kind, data) == url_of(image(wrap(data)))


@pytest.mark.parametrize("wrap", [Path, str, lambda name: os.fspath(Path(name))])
def test_a_path_is_read(tmp_path, wrap):
    (tmp_path / "picture.txt").write_bytes(JPEG)  # a name may lie

    assert data_url("image/jpeg", JPEG) == url_of(image(wrap(str(tmp_path / "picture.txt"))))


@pytest.mark.parametrize("url", [URL, "data:image/png;base64,AAAA"])
def test_a_url_goes_as_it_is(url):
    assert {"url": url, "detail": "low"} == image(url, detail="low")["image_url"]


def opened(part):
    pil = pytest.importorskip("PIL.Image")
    return pil.open(io.BytesIO(base64.b64decode(url_of(part).partition(",")[2])))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1"])
def test_a_pil_image_is_drawn(mode):
    pil = pytest.importorskip("PIL.Image")

    picture = opened(image(pil.new(mode, (3, 2))))

    assert ("PNG", (3, 2)) == (picture.format, picture.size)


def test_a_matplotlib_figure_is_drawn():
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure(figsize=(1, 1))
    figure.subplots().plot([1, 2, 3])

    assert "PNG" == opened(image(figure)).format


class Drawing:
    """An object that a notebook can show."""

    def _repr_png_(self):
        return PNG


def test_what_a_notebook_can_show_is_drawn():
    assert data_url("image/png", PNG) == url_of(image(Drawing()))


@pytest.mark.parametrize(
    ("source", "error"),
    [(b"nothing", ValueError), (PDF, ValueError), (7, TypeError), (None, TypeError)],
)
def test_what_is_no_picture_is_refused_at_once(source, error):
    with pytest.raises(error):
        image(source)


def test_a_pdf_goes_as_a_file_and_a_text_as_its_text(tmp_path):
    (tmp_path / "paper.pdf").write_bytes(PDF)
    (tmp_path / "notes.md").write_text("# Danube")

    assert {"filename": "paper.pdf", "file_data": data_url("application/pdf", PDF)} == (
        file(tmp_path / "paper.pdf")["file"]
    )
    assert {"type": "text", "text": "notes.md:\n\n# Danube"} == file(tmp_path / "notes.md")
    assert {"filename": "a.pdf", "file_data": "https://example.org/a.pdf?v=1"} == (
        file("https://example.org/a.pdf?v=1")["file"]
    )
    assert image(PNG) == file(PNG)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("application/pdf", "file.pdf"), ("application/pdf;a=b", "file.pdf"), ("", "file")],
)
def test_a_data_url_is_called_by_its_type_and_not_by_a_piece_of_it(kind, name):
    url = data_url(kind, b"%PDF-" + b"\xff" * 9)
    assert "/" in url.partition(",")[2]

    assert {"filename": name, "file_data": url} == file(url)["file"]
    assert "paper.pdf" == file(url, name="paper.pdf")["file"]["filename"]


@pytest.mark.parametrize(
    "name", ["a.yaml", "a.toml", "a.jsonl", "a.sql", "a.log", "a.rs", "a.sh", ".env", "Makefile"]
)
def test_a_text_is_told_by_its_bytes_whatever_its_name(tmp_path, name):
    (tmp_path / name).write_text("Düna: 1\n", encoding="utf-8")

    assert {"type": "text", "text": f"{name}:\n\nDüna: 1\n"} == file(tmp_path / name)
    assert {"type": "text", "text": "file:\n\nDüna: 1"} == file("Düna: 1".encode())


@pytest.mark.parametrize("data", [b"a\x00b", b"D\xfcna", b"PK\x03\x04\x14\x00\x06\x00"])
@pytest.mark.parametrize("name", ["a.toml", "a.xlsx", "Makefile"])
def test_what_is_no_utf_8_or_has_a_nul_is_no_text(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)

    with pytest.raises(ValueError, match="is no PDF, text or picture"):
        file(tmp_path / name)


def test_a_file_that_no_model_reads_is_refused_at_once(tmp_path):
    (tmp_path / "data.bin").write_bytes(b"\x00\x01")

    with pytest.raises(ValueError, match=r"data\.bin is no PDF, text or picture"):
        file(tmp_path / "data.bin")


def test_a_list_of_texts_and_pictures_is_one_message():
    (message,) = as_messages(["What is this?", PNG, image(URL)])

    assert ["text", "image_url", "image_url"] == [part["type"] for part in message["content"]]


def test_pictures_may_stand_in_the_content_of_a_message():
    before = {"role": "system", "content": "Be brief."}

    first, second = as_messages([before, {"role": "user", "content": ["What?", PNG]}])

    assert before == first
    assert [{"type": "text", "text": "What?"}, image(PNG)] == second["content"]


@pytest.mark.parametrize("prompt", [7, {"a": 1}, b"abc", ["a", 7], [{"role": "user"}, "b"], [None]])
def test_what_is_malformed_is_refused_as_ever(make_client, prompt):
    with pytest.raises((TypeError, ValueError)):
        make_client().complete(prompt)


def test_a_picture_is_seen(simulator, make_client, served_by):
    answer = make_client().complete(["What is this?", PNG])

    assert "Simulated answer to: What is this? (and 1 picture)" == answer.text
    assert served_by == answer.served.endpoint


def test_a_route_that_cannot_take_a_picture_is_passed_over_and_it_says_so(simulator, make_client):
    simulator.outage("openrouter")
    client = make_client(fallbacks=["groq:llama-3.3-70b-versatile", "anthropic:claude-sonnet-5"])

    answer = client.complete(["What is this?", PNG])

    assert "anthropic" == answer.served.endpoint
    assert "Simulated answer to: What is this? (and 1 picture)" == answer.text
    assert ("groq:llama-3.3-70b-versatile: it cannot take a part of type image_url",) == (
        answer.served.skipped
    )


def test_where_nobody_can_the_error_says_so(simulator, make_client):
    simulator.outage("openrouter")

    with pytest.raises(RoutesExhausted, match="cannot take a part of type image_url"):
        make_client(fallbacks=["groq:llama-3.3-70b-versatile"], rounds=1).complete(["What?", PNG])


@pytest.mark.parametrize(
    ("fallback", "part", "taken"),
    [
        ("openai:gpt-4o", file(PDF), True),
        ("openai:gpt-4o", file("https://example.org/a.pdf"), False),
        ("anthropic:claude-sonnet-5", file(PDF), True),
        ("anthropic:claude-sonnet-5", file("https://example.org/a.pdf"), True),
        ("groq:llama-3.3-70b-versatile", file(PDF), False),
        ("groq:meta-llama/llama-4-scout-17b-16e-instruct", image(PNG), True),
    ],
)
def test_who_takes_a_file_is_known_beforehand(simulator, make_client, fallback, part, taken):
    served = make_client(fallbacks=[fallback]).complete(["What?", part]).served

    assert taken == (served.skipped == ())


def test_once_the_models_are_known_one_that_cannot_see_is_not_asked(simulator, make_client):
    client = make_client("meta-llama/llama-3.3-70b-instruct")
    client.models()
    simulator.forget()

    answer = client.complete(["What is this?", PNG])

    assert ["openai"] == [request.face for request in simulator.requests]
    (why,) = answer.served.skipped
    assert why.endswith("none of its models takes parts of the kind image")

"""Pictures and files as parts of a message: from a path, bytes, a URL, PIL or matplotlib."""

from __future__ import annotations

import base64
import io
import mimetypes
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
URLS = ("https://", "http://", "data:")
DRAWN_IN = ("1", "L", "LA", "P", "RGB", "RGBA", "I")  # PIL's modes that PNG has


def image(source: Any, *, detail: str | None = None) -> dict[str, Any]:
    """A picture as a part of a message.

    Args:
        source: a path, a URL, the bytes of a PNG, JPEG, GIF or WebP, a PIL image, or a matplotlib
            figure.
        detail: "low", "high" or "auto", where the model knows it.

    Raises:
        TypeError, ValueError: it is no picture.
        OSError: the file cannot be read.
    """
    url = source if _is_url(source) else _data_url(*_picture(source))
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": detail} if detail else {})}


def file(source: Any, *, name: str | None = None) -> dict[str, Any]:
    """A file as a part of a message: a PDF as it is, a text as its text, a picture as a picture.

    Args:
        source: a path, the bytes, or the URL of a PDF.
        name: what the model is told it is called; None: the path's.

    Raises:
        TypeError, ValueError: it is no such file.
        OSError: the file cannot be read.
    """
    if _is_url(source):
        url = str(source)
        called = name or _name_in(url)
        return {"type": "file", "file": {"filename": called, "file_data": url}}
    data, found = _read(source)
    called = name or found or "file"
    kind = _kind(data) or mimetypes.guess_type(called)[0] or ""
    if kind.startswith("image/"):
        return image(data)
    if kind == "application/pdf":
        return {"type": "file", "file": {"filename": called, "file_data": _data_url(data, kind)}}
    if kind.startswith("text/") or _is_text(data):
        return {"type": "text", "text": f"{called}:\n\n{data.decode()}"}
    raise ValueError(f"{called} is no PDF, text or picture; models read nothing else")


def as_messages(prompt: Any) -> Any:
    """Messages with every picture and file in them as a part; what is malformed is left as it is.

    A list of texts, parts, pictures and files is one message of the user.
    """
    if not isinstance(prompt, Iterable) or isinstance(prompt, Mapping | bytes | BaseModel):
        return prompt
    listed = list(prompt)
    if any(map(_is_piece, listed)) and all(isinstance(p, str) or _is_piece(p) for p in listed):
        return [{"role": "user", "content": [as_part(piece) for piece in listed]}]
    return [_with_parts(message) for message in listed]


def as_part(piece: Any) -> dict[str, Any]:
    """A text, a part, a path, bytes, a PIL image or a figure as a part."""
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    if isinstance(piece, Mapping):
        return dict(piece)
    if isinstance(piece, Path | bytes | bytearray | memoryview):
        return file(piece)
    return image(piece)


def _is_piece(piece: Any) -> bool:
    if isinstance(piece, Mapping):
        return "type" in piece and "role" not in piece
    return isinstance(piece, Path | bytes | bytearray | memoryview) or _draws(piece)


def _with_parts(message: Any) -> Any:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list) or all(isinstance(part, Mapping) for part in content):
        return message
    fitting = (isinstance(part, str) or _is_piece(part) for part in content)
    return {**message, "content": [as_part(part) for part in content]} if all(fitting) else message


def _draws(source: Any) -> bool:
    """A figure has `savefig`, a PIL image `save` and a mode, a notebook's object `_repr_png_`."""
    if isinstance(source, type | BaseModel):
        return False
    pil = hasattr(source, "save") and hasattr(source, "mode")
    return pil or hasattr(source, "savefig") or hasattr(source, "_repr_png_")


def _picture(source: Any) -> tuple[bytes, str]:
    """The bytes of a picture, and their type."""
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        data, name = _read(source)
    elif _draws(source):
        data, name = _drawn(source), None
    else:
        raise TypeError(
            "a picture must be a path, a URL, bytes, a PIL image or a matplotlib figure, "
            f"not {type(source).__name__}"
        )
    kind = _kind(data)
    if kind is None or not kind.startswith("image/"):
        raise ValueError(f"{name or 'this'} is no PNG, JPEG, GIF or WebP")
    return data, kind


def _drawn(source: Any) -> bytes:
    buffer = io.BytesIO()
    if hasattr(source, "savefig"):
        source.savefig(buffer, format="png", bbox_inches="tight")
    elif hasattr(source, "mode"):
        plain = source if source.mode in DRAWN_IN else source.convert("RGB")
        plain.save(buffer, format="PNG")
    else:
        buffer.write(source._repr_png_())
    return buffer.getvalue()


def _read(source: Any) -> tuple[bytes, str | None]:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"a file must be a path, a URL or bytes, not {type(source).__name__}")
    path = Path(source).expanduser()
    return path.read_bytes(), path.name


def _kind(data: bytes) -> str | None:
    """What the first bytes say; a name may lie."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in MAGIC if data.startswith(start)), None)


def _is_text(data: bytes) -> bool:
    """By the bytes: few kinds of text have a name that every system knows, such as `.toml`."""
    try:
        return "\0" not in data.decode()
    except UnicodeDecodeError:
        return False


def _name_in(url: str) -> str:
    """What a file is called by its URL; by its type where its bytes are all that the URL has."""
    if url.startswith("data:"):
        kind = url.removeprefix("data:").partition(",")[0].partition(";")[0]
        return f"file{mimetypes.guess_extension(kind) or ''}"
    return Path(urlsplit(url).path).name or "file"


def _data_url(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _is_url(source: Any) -> bool:
    return isinstance(source, str) and source.startswith(URLS)

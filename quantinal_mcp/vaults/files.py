"""Reading what is to be uploaded: from the call, or from a folder that the operator opened."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from quantinal_mcp.errors import InvalidRequest

MEDIA_TYPES = {".pdf": "application/pdf", ".csv": "text/csv", ".txt": "text/plain", ".md": "text/markdown"}
MOST_ROWS = 1000
MOST_JSON_BYTES = 10 * 1024 * 1024

_NOTHING = "Nothing was sent."
_ROW = 'Give rows like {"date": "2026-02-19", "value": 1}.'
_DATA_URL = re.compile(r"data:[^,]*;base64,(?P<data>.*)", re.IGNORECASE | re.ASCII)
_PLAIN_ALPHABET = str.maketrans("-_", "+/")


def media_type(filename: str) -> str:
    """Return the media type of a documented kind of file.

    Raises:
        InvalidRequest: Any other kind.
    """
    kind = MEDIA_TYPES.get(Path(filename).suffix.lower())
    if kind is None:
        raise InvalidRequest("Only PDF, CSV, TXT and MD files can be uploaded.", _NOTHING)
    return kind


def decode_base64(text: str) -> bytes:
    """Return the bytes of `content_base64`, in any of its common spellings.

    Those are the plain and the URL-safe alphabet, with or without padding, with white space in it, and as a `data:`
    URL, whatever its media type.

    Raises:
        InvalidRequest: It is not base64.
    """
    bare = "".join(text.split())
    if (url := _DATA_URL.fullmatch(bare)) is not None:
        bare = unquote(url["data"])
    bare = bare.translate(_PLAIN_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            "content_base64 is not valid base64.",
            f"{_NOTHING} Encode the whole file in base64 (plain, URL-safe, or as data:…;base64,…), or send text as "
            "content.",
        ) from None


def check_size(size: int, most_megabytes: float) -> None:
    """Refuse an empty file or one above the operator's limit.

    Raises:
        InvalidRequest: It is empty or too large.
    """
    if size == 0:
        raise InvalidRequest("The file is empty.", _NOTHING)
    if size > most_megabytes * 1_000_000:
        raise InvalidRequest(
            f"The file has {size / 1_000_000:.1f} MB, and the limit is {most_megabytes:g} MB.",
            f"{_NOTHING} Only the operator can raise QUANTINAL_MAX_UPLOAD_MB.",
        )


def read_file(given: str, roots: tuple[Path, ...], most_megabytes: float) -> tuple[str, bytes]:
    """Return the name and the bytes of a regular file inside one of `roots`.

    The file is opened first, folder by folder and without following links, and what was opened is checked: a link
    that changes between check and read leads nowhere.

    Raises:
        InvalidRequest: Outside the roots, not a regular file, unreadable, too large or of another kind.
    """
    if not roots:
        raise InvalidRequest(
            "This server may not read files.",
            f"{_NOTHING} Send filename with content or content_base64, or ask the user to set QUANTINAL_UPLOAD_ROOTS.",
        )
    if "\0" in given:
        raise InvalidRequest("The path holds a null character.", _NOTHING)
    try:
        resolved = Path(given).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        resolved = None
    root = next((root for root in roots if resolved is not None and resolved.is_relative_to(root)), None)
    if resolved is None or root is None:
        raise InvalidRequest(
            "The path names no file inside the upload folders.",
            f"{_NOTHING} Readable folders: {', '.join(str(root) for root in roots)}.",
        )
    media_type(resolved.name)
    try:
        handle = _open_beneath(root, resolved)
    except OSError:
        raise InvalidRequest("The file cannot be read.", _NOTHING) from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidRequest("The path is not a regular file.", _NOTHING)
        check_size(found.st_size, most_megabytes)
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(int(most_megabytes * 1_000_000) + 1)
    finally:
        os.close(handle)
    check_size(len(content), most_megabytes)
    return resolved.name, content


def _open_beneath(root: Path, resolved: Path) -> int:
    """Open `resolved` from `root` downward; a component that became a link since it was resolved is refused."""
    parts = resolved.relative_to(root).parts
    no_follow = getattr(os, "O_NOFOLLOW", 0)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if os.open not in os.supports_dir_fd:
        return os.open(resolved, flags | no_follow)
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | no_follow, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(parts[-1], flags | no_follow, dir_fd=folder)
    finally:
        os.close(folder)


def check_rows(data: Any) -> None:
    """Refuse JSON that the API would not take.

    Raises:
        InvalidRequest: Rows that are no objects, more than 1,000 of them, or more than 10 MB.
    """
    rows = cast("list[Any]", data) if isinstance(data, list) else [data]
    if not rows:
        raise InvalidRequest("data is an empty list.", f"{_NOTHING} {_ROW}")
    if len(rows) > MOST_ROWS:
        raise InvalidRequest(
            f"data has {len(rows)} rows, and {MOST_ROWS} are the most.", f"{_NOTHING} Send it in parts."
        )
    if not all(isinstance(row, dict) for row in rows):
        raise InvalidRequest("Every row of data must be an object.", f"{_NOTHING} {_ROW}")
    if len(json.dumps(data, ensure_ascii=False).encode()) > MOST_JSON_BYTES:
        raise InvalidRequest("data is larger than 10 MB.", f"{_NOTHING} Send it in parts.")

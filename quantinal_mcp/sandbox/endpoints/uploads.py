"""POST .../vault/sources: turns files and JSON into vault data."""

import csv
import io
import json
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from quantinal_mcp.sandbox.endpoints.call import Answer, Call
from quantinal_mcp.sandbox.endpoints.checks import Fields, Invalid, list_of, mapping, text
from quantinal_mcp.sandbox.world.errors import ApiError, bad_request
from quantinal_mcp.sandbox.world.records import Item, Source

_MAX_JSON_BYTES = 10 * 1024 * 1024
_NAME = text(1, 200)


@dataclass(frozen=True)
class _Upload:
    name: str
    description: str | None
    source_type: str
    content_type: str
    rows: list[str]


class _InMemoryParser(MultiPartParser):
    # A file that spools to disk is written in a worker thread, which virtual time cannot see.
    spool_max_size = 1 << 30


async def upload_source(call: Call) -> Any:
    """POST /api/trackers/{tracker_id}/vault/sources."""
    now = call.now
    vault = call.account.vault(call.path["tracker_id"], now)
    content_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "multipart/form-data":
        upload = await _read_file(call)
    elif content_type in ("application/json", ""):
        upload = _read_json(call)
    else:
        raise bad_request(f"Unsupported content type '{content_type}'")
    source = next((one for one in vault.sources.values() if one.name == upload.name), None)
    is_new = source is None
    if source is None:
        source = Source(call.account.new_id(), upload.name, upload.description, upload.source_type, now, now)
        vault.sources[source.source_id] = source
    source.items += [Item(call.account.new_id(), row, upload.content_type, now) for row in upload.rows]
    source.size_bytes += sum(len(row.encode()) for row in upload.rows)
    source.updated_at = vault.updated_at = now
    view = source.view() | {
        "vault_id": vault.vault_id,
        "rows_processed": len(upload.rows),
        "is_new_source": is_new,
        "cost_quants": 0.0,
        "metadata": None,
    }
    return Answer(201, view)


def _read_json(call: Call) -> _Upload:
    if len(call.content) > _MAX_JSON_BYTES:
        raise _wrong("data", "JSON data should be at most 10 MB", "value_error")
    body = call.body()
    name = body.take("source_name", _NAME, required=True)
    description = body.take("description", text(), nullable=True)
    rows = body.take("data", _rows, required=True)
    body.done()
    return _Upload(name, description, "JSON", "json", [json.dumps(row, ensure_ascii=False) for row in rows])


def _rows(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value]
    if not isinstance(value, list):
        raise Invalid("Input should be an object or an array of objects", "dict_type")
    return list_of(mapping, low=1, high=1000)(value)


async def _read_file(call: Call) -> _Upload:
    async def stream() -> AsyncGenerator[bytes]:
        yield call.content

    try:
        form = await _InMemoryParser(Headers(dict(call.headers)), stream()).parse()
    except MultiPartException as wrong:
        raise bad_request(wrong.message) from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise _wrong("file", "Field required", "missing")
        filename = file.filename or ""
        fields = Fields({"source_name": form.get("source_name", filename)}, "body")
        name = fields.take("source_name", _NAME)
        fields.done()
        return _parse(name, filename, await file.read())
    finally:
        await form.close()


def _parse(name: str, filename: str, content: bytes) -> _Upload:
    extension = filename.rpartition(".")[2].lower()
    if extension not in ("pdf", "csv", "txt", "md"):
        raise _wrong("file", "File type should be PDF, CSV, TXT or MD", "value_error")
    source_type = extension.upper()
    if not content:
        raise _wrong("file", "File should not be empty", "value_error")
    if extension == "pdf":
        if not content.startswith(b"%PDF"):
            raise _wrong("file", "File is not a valid PDF", "value_error")
        return _Upload(name, None, source_type, "text", [f"Text of {filename} ({len(content)} bytes)"])
    try:
        written = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("file", "File should be UTF-8 text", "value_error") from None
    if extension == "csv":
        try:
            # strict: a quote that is never closed would otherwise swallow the rest of the file.
            rows = list(csv.DictReader(io.StringIO(written, newline=""), restkey="_more", strict=True))
        except csv.Error as wrong:
            raise _wrong("file", f"File is not valid CSV: {wrong}", "value_error") from None
        return _Upload(name, None, source_type, "json", [json.dumps(row, ensure_ascii=False) for row in rows])
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", written) if part.strip()]
    return _Upload(name, None, source_type, "text", paragraphs)


def _wrong(field: str, message: str, kind: str) -> ApiError:
    return ApiError(422, [{"loc": ["body", field], "msg": message, "type": kind}])

"""fastmcp's bridge over an OpenAPI description of the same endpoints: on stdio, or over HTTP at the port given."""

import os
import sys
from typing import Any

import httpx
from fastmcp import FastMCP
from openapi import document

client = httpx.AsyncClient(
    base_url=os.environ["QUANTINAL_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['QUANTINAL_API_TOKEN']}"},
)
over: dict[str, Any] = {"transport": "stdio"}
if len(sys.argv) > 1:
    over = {"transport": "http", "host": "127.0.0.1", "port": int(sys.argv[1])}
FastMCP.from_openapi(document(), client=client).run(**over, show_banner=False)

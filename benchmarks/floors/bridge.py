"""fastmcp's bridge over an OpenAPI description of the same endpoints."""

import os

import httpx
from fastmcp import FastMCP
from openapi import document

client = httpx.AsyncClient(
    base_url=os.environ["QUANTINAL_BASE_URL"],
    headers={"Authorization": f"Bearer {os.environ['QUANTINAL_API_TOKEN']}"},
)
FastMCP.from_openapi(document(), client=client).run("stdio", show_banner=False)

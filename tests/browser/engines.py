"""Runs JavaScript that uses ssejet's module, in Node and in Chromium."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import node

if TYPE_CHECKING:
    from playwright.async_api import Page


class Node:
    """Runs functions in Node."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def call(self, function: str, argument: object = None) -> Any:
        """Await ``function(module, url, argument)`` and return its result, as JSON can hold it."""
        program = f"""
            import * as module from {json.dumps(node.MODULE.as_uri())};
            import {{ text }} from "node:stream/consumers";
            const argument = JSON.parse(await text(process.stdin));
            const result = await ({function})(module, {json.dumps(self._url)}, argument);
            process.stdout.write(JSON.stringify(result ?? null));
        """
        return await node.run("--input-type=module", "--eval", program, given=argument)


class Chromium:
    """Runs functions in a page."""

    def __init__(self, url: str, page: Page) -> None:
        self._url = url
        self._page = page

    async def call(self, function: str, argument: object = None) -> Any:
        """Await ``function(module, url, argument)`` and return its result, as JSON can hold it."""
        await self._page.goto(self._url)
        program = f"""
            async ([url, argument]) => {{
                const result = await ({function})(await import("/ssejet.js"), url, JSON.parse(argument));
                return JSON.stringify(result ?? null);
            }}
        """
        return node.parse_json(await self._page.evaluate(program, [self._url, json.dumps(argument)]))


Engine = Node | Chromium

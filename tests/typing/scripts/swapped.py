"""Swap-ins, under the names of the packages that they stand for."""

import httpx
from typing_extensions import assert_type

import ssejet
import ssejet.swap.httpx_sse as httpx_sse
from ssejet import ServerSentEvent, accelerate, install, uninstall


def read(client: httpx.Client) -> None:
    with httpx_sse.connect_sse(client, "GET", "http://127.0.0.1") as source:
        assert_type(source, httpx_sse.EventSource)
        for event in source.iter_sse():
            assert_type(event, ServerSentEvent)
            event.text  # error: text


async def aread(client: httpx.AsyncClient) -> None:
    async with httpx_sse.aconnect_sse(client, "GET", "http://127.0.0.1") as source:
        async for event in source.aiter_sse():
            assert_type(event.data, str)
        source.iter_events()  # error: iter_events


def patch(client: httpx.Client) -> None:
    assert_type(accelerate(client), httpx.Client)
    install()
    install("openai")  # error: install|positional
    uninstall()
    ssejet.speed_up  # error: speed_up

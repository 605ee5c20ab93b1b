"""Streams of the responses of other HTTP libraries."""

import http.client
from dataclasses import dataclass
from typing import Any

import aiohttp
import niquests
import requests
import urllib3
from typing_extensions import assert_type

import ssejet
from ssejet import AsyncStream, EventSource, Stream


@dataclass
class Text:
    text: str


def read(
    first: requests.Response,
    second: niquests.Response,
    third: urllib3.HTTPResponse,
    fourth: http.client.HTTPResponse,
) -> None:
    assert_type(Stream(first), Stream[Any])
    assert_type(Stream(first, cast_to=Text), Stream[Text])
    assert_type(Stream(second, cast_to=Text), Stream[Text])
    assert_type(Stream(third, cast_to=Text), Stream[Text])
    assert_type(Stream(fourth, cast_to=Text), Stream[Text])
    Stream("https://example.org/")  # error: incompatible|overload
    for event in EventSource(first):
        assert_type(event.data, str)


async def aread(first: aiohttp.ClientResponse, second: niquests.AsyncResponse) -> None:
    assert_type(AsyncStream(first), AsyncStream[Any])
    assert_type(AsyncStream(first, cast_to=Text), AsyncStream[Text])
    assert_type(AsyncStream(second, cast_to=Text), AsyncStream[Text])


def follow(client: requests.Session) -> None:
    with ssejet.subscribe("https://example.org/", client=client) as events:
        for event in events:
            assert_type(event.data, str)
    with ssejet.connect_sse(client, "GET", "https://example.org/") as source:
        assert_type(source, EventSource)


async def afollow(client: aiohttp.ClientSession) -> None:
    async with ssejet.asubscribe("https://example.org/", client=client) as events:
        async for event in events:
            assert_type(event.data, str)
    async with ssejet.aconnect_sse(client, "GET", "https://example.org/") as source:
        assert_type(source, EventSource)

"""Ask for an answer of a given type, and use it while it arrives."""

from __future__ import annotations

import os

import httpx
from pydantic import BaseModel

from ssejet import Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream, response_format_param

URL = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1") + "/chat/completions"
HEADERS = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}


class Recipe(BaseModel):
    title: str
    ingredients: list[str]
    minutes: int


body = {
    "model": "gpt-5-mini",
    "messages": [{"role": "user", "content": "How do I make pancakes?"}],
    "response_format": response_format_param(Recipe),
    "stream": True,
}
with httpx.stream("POST", URL, headers=HEADERS, json=body) as response:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk), response_format=Recipe)
    shown = 0
    for event in stream:
        if event.type == "content.delta":
            ingredients = (event.parsed or {}).get("ingredients", [])
            for ingredient in ingredients[shown:]:
                print(f"- {ingredient}")
            shown = len(ingredients)
    recipe = stream.get_final_completion().choices[0].message.parsed

if recipe is not None:
    print(f"{recipe.title}: {len(recipe.ingredients)} ingredients, {recipe.minutes} minutes")

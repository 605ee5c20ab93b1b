"""Writes the table of docs/providers.md from the presets and from what the tests verify.

python tests/client/providers_page.py
"""

from __future__ import annotations

from pathlib import Path

from ssejet.client._providers import PROVIDERS, Provider

__all__ = ["PACKAGES", "PAGE", "SHAPES", "WITH_MESSAGES", "table", "written"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
BEGIN, END = "<!-- written by tests/client/providers_page.py -->", "<!-- end -->"

# The clients of the providers' own packages, whose URL and variable test_presets.py compares.
PACKAGES = {
    "anthropic": "anthropic.Anthropic",
    "cerebras": "cerebras.cloud.sdk.Cerebras",
    "groq": "groq.Groq",
    "openai": "openai.OpenAI",
    "perplexity": "perplexity.Perplexity",
}

# The providers whose packages make the same answers of the same bytes, and the tests that compare them.
AGREEMENT = {
    "anthropic": "tests/messages/test_message_agreement.py",
    "openai": "tests/chat/test_agreement.py",
}

# The providers that document a Messages API; the others that have one have it at another URL. For those with
# False, only the documentation of other tools says so.
WITH_MESSAGES = {
    "anthropic": True,
    "fireworks": False,
    "llamacpp": True,
    "lmstudio": True,
    "ollama": True,
    "openrouter": True,
    "vllm": True,
}

# The streams in the shapes that the providers document: the beginnings of the files' names, which are the
# providers' unless this says otherwise.
NAMES_OF_FILES = {"glm": ("zai", "zhipu")}
SHAPES: dict[str, list[str]] = {name: [] for name in PROVIDERS}
for _path in sorted((ROOT / "tests" / "chat" / "fixtures").glob("*.sse")):
    _start, _, _what = _path.stem.partition("_")
    for _name in NAMES_OF_FILES.get(_start, (_start,)):
        SHAPES[_name].append(_what)

HEADERS = {"x-api-key": "`x-api-key`", "authorization": "`Authorization`", "both": "both"}


def written(provider: Provider) -> str:
    """The row of a provider."""
    url = f"`{provider.base_url}`" if provider.base_url else f"`{provider.url_variable}` + `{provider.path}`"
    if provider.base_url and provider.url_variable:
        url += f" (`{provider.url_variable}`)"
    key = f"`{provider.key_variable}`" + ("" if provider.needs_key else ", if any")
    if provider.messages_url:
        messages = f"`{provider.messages_url}`"
    elif provider.name in WITH_MESSAGES:
        messages = "the same" if WITH_MESSAGES[provider.name] else "the same, not verified"
    else:
        messages = "–"
    header = "–" if messages == "–" else HEADERS[provider.messages_key]
    cells = [f"`{provider.name}`", url, key, messages, header, ", ".join(verified(provider))]
    return f"| {' | '.join(cells)} |"


def verified(provider: Provider) -> list[str]:
    """By what the row is verified, as the page explains it."""
    shapes = SHAPES[provider.name]
    found = {
        "S": provider.name in PACKAGES,
        "A": provider.name in AGREEMENT,
        f"C ({', '.join(shapes)})": bool(shapes),
        "Q": bool(provider.unsupported or provider.renamed),
        "D": provider.name not in PACKAGES,
    }
    return [letter for letter, is_so in found.items() if is_so]


def table() -> str:
    """The table of all providers."""
    head = [
        "| name | OpenAI's endpoints | key | Messages API | header of the key there | verified |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(written, PROVIDERS.values())])


def page(text: str) -> str:
    """The page with the table as it must be."""
    start, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:start]}\n{table()}\n{text[end:]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")

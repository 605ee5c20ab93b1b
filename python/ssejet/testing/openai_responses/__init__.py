"""A home for tests that use the library openai-responses: the same names, for any version of openai.

Change the imports, and keep the tests::

    from ssejet.testing import openai_responses
    from ssejet.testing.openai_responses import OpenAIMock


    @openai_responses.mock()
    def test_create_assistant(openai_mock: OpenAIMock):
        client = openai.Client(api_key="sk-fake123")
        assistant = client.beta.assistants.create(name="Math Tutor", model="gpt-4-turbo")
        assert assistant.name == "Math Tutor"
        assert openai_mock.beta.assistants.create.route.call_count == 1

``docs/testing.md`` lists what differs. New tests need less with ``ssejet.testing.mock_openai``.
"""

from __future__ import annotations

from ssejet.testing.openai_responses import ext, helpers, stores, streaming
from ssejet.testing.openai_responses._mock import OpenAIMock, mock

__all__ = ["OpenAIMock", "ext", "helpers", "mock", "stores", "streaming"]

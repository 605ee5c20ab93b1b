"""The endpoints of the mocks: each makes an answer, whole or as a stream, from a text or a few fields.

To mock another endpoint:

1. Copy the file whose answers are most like the new ones: ``choices`` (chunks with choices, ``[DONE]``),
   ``responses`` or ``messages`` (events with types). The shortest endpoint is ``TokenCount`` in ``messages``,
   which has no stream.
2. Subclass ``Endpoint``. Its abstract methods are what you must write; ``base`` has what you can use: ids,
   words, token counts, errors.
3. Export the class here, and give it to ``self._add`` in the mock, ``_openai.OpenAIMock`` or
   ``_anthropic.AnthropicMock``, which makes it a ``Route``. For another provider, copy the mock too.
4. Test it with the provider's SDK, as ``tests/testing/test_openai_answers.py`` does.
"""

from __future__ import annotations

from ssejet.testing._endpoints.base import Endpoint, anthropic_error, openai_error
from ssejet.testing._endpoints.choices import ChatCompletions, Completions
from ssejet.testing._endpoints.messages import Messages, TokenCount
from ssejet.testing._endpoints.responses import Responses

__all__ = [
    "ChatCompletions",
    "Completions",
    "Endpoint",
    "Messages",
    "Responses",
    "TokenCount",
    "anthropic_error",
    "openai_error",
]

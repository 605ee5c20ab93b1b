"""The endpoints of the mocks. Each makes a full answer or a stream from a string or a few fields.

To mock another endpoint:

1. Copy the module with the most similar answers: ``choices`` (chunks with choices, then ``[DONE]``),
   ``responses`` or ``messages`` (typed events). For an endpoint without a stream, copy ``TokenCount`` in
   ``messages``.
2. Subclass ``Endpoint`` and write its abstract methods. ``base`` has helpers for ids, words, token counts and
   errors.
3. Export the class here. To get its ``Route``, pass an instance to ``self._add`` in ``_openai.OpenAIMock`` or
   ``_anthropic.AnthropicMock``. For another provider, copy one of these mocks.
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

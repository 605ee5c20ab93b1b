"""Ask any OpenAI-compatible server, and print how fast it answers."""

from __future__ import annotations

from ssejet import Client, StreamError

# Set OPENAI_API_KEY, and for another server OPENAI_BASE_URL, such as http://127.0.0.1:8000/v1 for vLLM.
with Client(max_retries=4, timeout=120) as client:
    try:
        with client.chat.completions.stream(
            model="gpt-5-mini",
            messages=[{"role": "user", "content": "Say hello."}],
            stream_options={"include_usage": True},
        ) as stream:
            for text in stream.text_deltas():
                print(text, end="", flush=True)
        print()
    except StreamError as error:
        raise SystemExit(f"\n{type(error).__name__}: {error}") from error

metrics = stream.metrics
print(f"{metrics.tokens} tokens by {metrics.tokens_from}, {metrics.reconnections} retries")
if metrics.time_to_first_token is not None and metrics.inter_token_latency is not None:
    print(f"the first after {metrics.time_to_first_token * 1000:.0f} ms")
    print(f"then one every {metrics.inter_token_latency.p50 * 1000:.1f} ms (median)")

"""Checks that a Redis answers, before anything is served over it."""

from __future__ import annotations

from urllib.parse import urlsplit

from ssejet.cli._console import fail

__all__ = ["check_redis"]

# Seconds.
_TIMEOUT = 5.0


def check_redis(url: str) -> None:
    """End the command with an error that says what to do, unless the Redis at a URL answers."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=_TIMEOUT, socket_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
    except ValueError as error:
        fail(f"--redis: {error}")
    where = _without_secrets(url)
    try:
        with client:
            client.ping()
    except redis.AuthenticationError:
        fail(f"Redis at {where} refuses the password: write redis://:PASSWORD@HOST:PORT")
    except (redis.RedisError, OSError) as error:
        fail(f"cannot reach Redis at {where}: {error}; start it with redis-server, or correct --redis")


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

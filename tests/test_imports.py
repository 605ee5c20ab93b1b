from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import ssejet


def run(program: str) -> str:
    """What a fresh interpreter prints, for which every warning is an error."""
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_package_imports_nothing_that_it_may_not_need() -> None:
    loaded = set(run("import sys, ssejet; print(*sys.modules)").split())
    unwanted = {
        "anyio",
        "asyncio",
        "httpx",
        "httpx2",
        "json",
        "msgspec",
        "openai",
        "orjson",
        "pydantic",
        "ssl",
    }
    assert "ssejet.typed._stream" in loaded
    assert not unwanted & loaded


def test_reading_json_items_of_another_client_needs_no_http_client() -> None:
    program = """if True:
        import sys
        from ssejet import Stream

        class Response:
            def iter_bytes(self): yield b'data: {"a": 1}\\n\\n'
            def close(self): pass

        print(list(Stream(Response())), {"httpx", "httpx2", "msgspec", "pydantic"} & sys.modules.keys())
    """
    # msgspec reads JSON where orjson is not installed.
    expected = set() if find_spec("orjson") else {"msgspec"}
    assert run(program) == f"[{{'a': 1}}] {expected}\n"


def test_all_that_is_exported_exists_and_stands_in_order() -> None:
    assert all(hasattr(ssejet, name) for name in ssejet.__all__)
    assert len(set(ssejet.__all__)) == len(ssejet.__all__)

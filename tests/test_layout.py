"""The layers of the package: imports run one way, and what is private looks so. How tests are named."""

from __future__ import annotations

import ast
import pkgutil
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ssejet

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent

# The modules that users import from. The names of all others, or of their folders, begin with an underscore.
PUBLIC = {
    "ssejet",
    "ssejet.chat",
    "ssejet.cli",
    "ssejet.client",
    "ssejet.emit",
    "ssejet.emit.ag_ui",
    "ssejet.emit.ai_sdk",
    "ssejet.emit.flask",
    "ssejet.emit.sse_starlette",
    "ssejet.emit.sse_starlette.event",
    "ssejet.emit.sse_starlette.sse",
    "ssejet.emit.starlette",
    "ssejet.errors",
    "ssejet.hub",
    "ssejet.hub.durable_streams",
    "ssejet.hub.mcp",
    "ssejet.messages",
    "ssejet.metrics",
    "ssejet.pytest_plugin",
    "ssejet.responses",
    "ssejet.source",
    "ssejet.swap",
    "ssejet.swap.anthropic",
    "ssejet.swap.cohere",
    "ssejet.swap.google_genai",
    "ssejet.swap.httpx2",
    "ssejet.swap.httpx_sse",
    "ssejet.swap.openai",
    "ssejet.testing",
    "ssejet.testing.openai_responses",
    "ssejet.testing.openai_responses.ext",
    "ssejet.testing.openai_responses.ext.httpx",
    "ssejet.testing.openai_responses.ext.respx",
    "ssejet.testing.openai_responses.helpers",
    "ssejet.testing.openai_responses.helpers.builders",
    "ssejet.testing.openai_responses.helpers.builders.assistants",
    "ssejet.testing.openai_responses.helpers.builders.chat",
    "ssejet.testing.openai_responses.helpers.builders.embeddings",
    "ssejet.testing.openai_responses.helpers.builders.messages",
    "ssejet.testing.openai_responses.helpers.builders.moderations",
    "ssejet.testing.openai_responses.helpers.builders.run_steps",
    "ssejet.testing.openai_responses.helpers.builders.runs",
    "ssejet.testing.openai_responses.helpers.builders.threads",
    "ssejet.testing.openai_responses.helpers.builders.vector_store_files",
    "ssejet.testing.openai_responses.helpers.builders.vector_stores",
    "ssejet.testing.openai_responses.helpers.mergers",
    "ssejet.testing.openai_responses.helpers.mergers.assistants",
    "ssejet.testing.openai_responses.helpers.mergers.runs",
    "ssejet.testing.openai_responses.helpers.mergers.threads",
    "ssejet.testing.openai_responses.stores",
    "ssejet.testing.openai_responses.streaming",
    "ssejet.typed",
}


def test_a_module_is_private_unless_users_import_from_it() -> None:
    names = [module.name for module in pkgutil.walk_packages(ssejet.__path__, "ssejet.")]
    public = {name for name in names if not any(part.startswith("_") for part in name.split("."))}
    assert public | {"ssejet"} == PUBLIC


def test_one_module_imports_orjson_so_that_all_others_work_without_it() -> None:
    found = [
        path.name
        for path in Path(ssejet.__path__[0]).rglob("*.py")
        if re.search(r"^\s*(import|from) orjson", path.read_text(), re.MULTILINE)
    ]
    assert found == ["_orjson.py"]


# The files that encode or decode JSON themselves, and why they cannot call ``ssejet._json``.
DIRECT_JSON = {
    "_answers/base.py": "decodes text to a model of ssejet",
    "_answers/typed_json.py": "decodes text to a user's type, and makes its schema",
    "cli/_json_layout.py": "shows numbers and repeated keys as they were sent",
    "emit/sse_starlette/event.py": "sends the bytes that sse-starlette sends, and raises its errors",
    "swap/_huggingface.py": "makes the lines that both functions get, with spaces",
    "swap/_speakeasy_probe.py": "makes the bodies that both generators get, with escapes and spaces",
    "swap/_plan/probe.py": "makes the bodies that both parsers get, with escapes and spaces",
    "swap/_stainless_rules.py": "makes the bodies that the SDK's own generator gets to show its rules",
    "testing/_endpoints/base.py": "writes arguments with spaces, as models do",
    "hub/durable_streams/_content_type.py": "keeps each message as it was sent",
    "typed/_cast.py": "decodes text to a user's type",
    "_http/adapters/requests_to_send.py": "sends the bytes that httpx sends, and raises its errors",
}

_JSON_LIBRARIES = ("json", "msgspec.json", "orjson")


def _uses_json(path: Path) -> bool:
    """Whether a file uses a function or class of a JSON library, except its errors."""
    text = path.read_text()
    if "json" not in text:
        return False
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module in _JSON_LIBRARIES:
            return True
        imported = [name.name for name in node.names] if isinstance(node, ast.Import) else []
        if "msgspec.json" in imported or "orjson" in imported:
            return True
        if (
            isinstance(node, ast.Attribute)
            and ast.unparse(node.value) in _JSON_LIBRARIES
            and node.attr
            in {
                "Decoder",
                "Encoder",
                "JSONDecoder",
                "JSONEncoder",
                "decode",
                "dump",
                "dumps",
                "encode",
                "load",
                "loads",
                "schema",
            }
        ):
            return True
    return False


def test_json_is_encoded_and_decoded_in_one_package() -> None:
    root = Path(ssejet.__path__[0])
    paths = [path for path in root.rglob("*.py") if _uses_json(path)]
    found = {path.relative_to(root).as_posix() for path in paths}
    owners = {name for name in found if name.startswith("_json/")} | {"_orjson.py", "_without_orjson.py"}
    assert found - owners == set(DIRECT_JSON)


def test_one_module_knows_pydantic_by_its_attributes() -> None:
    asked = re.compile(
        r"""["'](model_dump|model_dump_json|model_fields|model_validate_json|to_json|__get_validators__|"""
        r"""__pydantic_\w+)["']|^\s*(import|from) pydantic\b""",
        re.MULTILINE,
    )
    root = Path(ssejet.__path__[0])
    paths = [path for path in root.rglob("*.py") if asked.search(path.read_text())]
    found = {path.relative_to(root).as_posix() for path in paths}
    # The swap-ins rebuild models of SDKs. A model of ours is not pydantic's, though it has to_json().
    assert {name for name in found if not name.startswith("swap/")} == {"_json/replacing.py", "_pydantic.py"}


def test_a_public_module_has_all_that_it_exports() -> None:
    program = f"for name in {sorted(PUBLIC)}: exec(f'from {{name}} import *')"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_imports_run_one_way_and_in_no_circle() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _rust_imports(source: Path) -> dict[str, set[str]]:
    """What each module of a crate imports: by ``crate::`` from its top, and by ``super::`` in its folder.

    ``$crate::`` stands in a macro, which names its own module so.
    """
    owners = {
        name: module
        for module, names in re.findall(r"pub use (\w+)::(\{[^}]*\}|\w+)", (source / "lib.rs").read_text())
        for name in re.findall(r"\w+", names)
    }
    imports: dict[str, set[str]] = {}
    for path in source.rglob("*.rs"):
        top, *rest = path.relative_to(source).with_suffix("").parts
        if top == "lib":
            continue
        code = re.sub(r"//.*", "", path.read_text())
        for start, names in re.findall(r"(?<![$\w])(crate|super)::(\{[^}]*\}|\w+)", code):
            for name in re.findall(r"(?:^\{?|,)\s*(\w+)", names):
                if start == "crate":
                    imports.setdefault(top, set()).add(owners.get(name, name))
                elif rest:
                    imports.setdefault(f"{top}/{rest[-1]}", set()).add(f"{top}/{name}")
    return imports


@pytest.mark.parametrize("crate", ["core", "python"])
def test_modules_of_rust_import_in_no_circle(crate: str) -> None:
    imports = _rust_imports(ROOT / "rust" / crate / "src")
    assert imports
    TopologicalSorter(imports).prepare()  # raises for a circle


def test_the_map_for_contributors_names_each_folder_and_nothing_else() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    package = Path(ssejet.__path__[0])
    (tree,) = re.findall(r"## A map\n\n```\n(.*?)```", text, re.DOTALL)
    drawn = re.findall(r"^[├└]── (\S+)", tree, re.MULTILINE)
    folders = {f"{path.name}/" for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name for name in drawn if name.endswith("/")} == folders
    # Each line may import from those above it.
    layers = re.findall(
        r'(?m)^    "([^"]+)",$', (ROOT / "pyproject.toml").read_text().split("[tool.importlinter]")[1]
    )
    level = {name.strip(): -place for place, layer in enumerate(layers) for name in layer.split(":")}
    python = [name for name in drawn if name.endswith(".py") or (package / name / "__init__.py").exists()]
    levels = [level[name.removesuffix("/").removesuffix(".py")] for name in python]
    assert levels == sorted(levels)
    paths = [package / name for name in drawn] + [ROOT / name for name in re.findall(r"(?m)^[a-z]\S*", tree)]
    # In the text: a path from the root, or from the package.
    paths += [
        (ROOT if (ROOT / name.split("/")[0]).exists() else package) / name
        for name in re.findall(r"`(\w+/[\w./]*)`", text)
    ]
    assert [path for path in paths if not path.exists()] == []
    rust = {path.parent.name for path in (ROOT / "rust").glob("*/Cargo.toml")}
    assert rust == {path.name for path in paths if path.parent.name == "rust"}


def test_each_public_package_has_a_folder_of_tests() -> None:
    tests = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    packages = {path.parent.name for path in Path(ssejet.__path__[0]).glob("*/__init__.py")}
    assert {name for name in packages if not name.startswith("_")} - tests == set()
    # These are about private packages, the extension module, and what is outside of the package.
    others = {"benches", "browser", "core", "ecosystem", "http", "typing"}
    assert tests - packages == others


# At least three words, the first of which begins no predicate without its subject.
_SENTENCE = re.compile(
    r"test_(?!(and|are|be|can|cannot|comes|did|do|does|follows|for|gets|gives|had|has|have|is|keeps|makes|may|might|"
    r"must|needs?|nor|not|of|or|raises|takes|than|that|to|was|were|which|who)_)[^_]+_[^_]+_[^_]"
)


def _tests(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name


def test_the_name_of_a_test_is_a_sentence() -> None:
    # `make test-peers` keeps the tests of other packages in a hidden folder.
    tests = ROOT / "tests"
    own = [path for path in tests.rglob("test_*.py") if "/." not in path.relative_to(tests).as_posix()]
    names = [
        (path.name, name) for path in own for name in _tests(ast.parse(path.read_text(encoding="utf-8")).body)
    ]
    assert len(names) > 1000
    assert [each for each in names if not _SENTENCE.match(each[1])] == []

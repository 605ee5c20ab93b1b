"""What is installed from a wheel: the JavaScript module with its types, and the page of `ssejet serve`.

The variable SSEJET_WHEEL names a wheel, or a folder with one. Without it, the files of the source
distribution, which are those of a wheel, are installed beside the extension module of this tree.
"""

from __future__ import annotations

import asyncio
import importlib.machinery
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import node
import pytest

import ssejet

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

PACKAGE = node.ROOT / "python" / "ssejet"
PAGE = ["index.html", "page.css", "page.js"]
SHIPPED = [
    "py.typed",
    *(f"js/{name}" for name in ("ssejet.js", "ssejet.d.ts", "package.json")),
    *(f"cli/page/{name}" for name in PAGE),
    "cli/recordings/chat.sse",
]


def unpack(folder: Path) -> None:
    """Put what a wheel installs into a folder."""
    given = os.environ.get("SSEJET_WHEEL")
    if given:
        wheel = Path(given) if Path(given).is_file() else next(Path(given).glob("ssejet-*.whl"))
        zipfile.ZipFile(wheel).extractall(folder)
        return
    beside = [str(Path(sys.executable).parent), os.environ["PATH"]]
    maturin = shutil.which("maturin", path=os.pathsep.join(beside))
    if maturin is None:
        pytest.skip("there is no maturin here: pip install maturin, or set SSEJET_WHEEL")
    done = subprocess.run(
        [maturin, "sdist", "--out", folder / "sdist"],
        cwd=node.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (archive,) = (folder / "sdist").iterdir()
    with tarfile.open(archive) as opened:
        for member in opened.getmembers():
            _, _, name = member.name.partition("/python/")
            if name and member.isfile():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                content = opened.extractfile(member)
                assert content is not None
                target.write_bytes(content.read())
    extension = next(
        PACKAGE / f"_core{suffix}"
        for suffix in importlib.machinery.EXTENSION_SUFFIXES
        if (PACKAGE / f"_core{suffix}").exists()
    )
    shutil.copy(extension, folder / "ssejet")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and what the tests' has of other packages."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    program = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([program, "-c", where], capture_output=True, text=True, check=True).stdout
    packages = Path(found.strip())
    unpack(packages)
    # An editable install is a file of this kind itself, so it does not take effect through another.
    (packages / "others.pth").write_text(
        f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n"
    )
    return program


@pytest.fixture(scope="module")
def package(installed: Path) -> Path:
    """The folder of the installed package."""
    where = "import pathlib, ssejet; print(pathlib.Path(ssejet.__file__).parent)"
    found = subprocess.run(
        [installed, "-c", where], capture_output=True, text=True, check=True, env=_environment()
    ).stdout
    folder = Path(found.strip())
    assert folder != Path(ssejet.__file__).parent
    assert installed.parent.parent in folder.parents
    return folder


@pytest.fixture
def served(installed: Path) -> Iterator[str]:
    command = [installed, "-c", "from ssejet.cli import main; main()", "serve", "--port", "0", "--fast"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip().rpartition(" at ")[2]
        process.kill()


def _environment() -> dict[str, str]:
    """Without what would lead to this tree."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


async def test_a_wheel_has_the_module_its_types_and_the_page(package: Path) -> None:
    missing = [name for name in SHIPPED if not (package / name).exists()]
    assert missing == []
    scripts = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")]
    assert [path for path in scripts if not (package / path).exists()] == []


async def test_an_installed_package_serves_the_page_and_the_module(served: str, package: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for name in PAGE:
            response = await client.get(served + ("" if name == "index.html" else name))
            assert (response.status_code, response.content) == (
                200,
                (package / "cli/page" / name).read_bytes(),
            )
        response = await client.get(f"{served}ssejet.js")
        assert (response.status_code, response.content) == (200, (package / "js/ssejet.js").read_bytes())


async def test_typescript_finds_the_types_of_an_installed_package(package: Path, tmp_path: Path) -> None:
    compiler = node.packages() / "typescript" / "bin" / "tsc"
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "ssejet").symlink_to(package / "js", target_is_directory=True)
    (tmp_path / "use.ts").write_text(
        """
        import { connect, type Connection } from "ssejet";

        export const events: Connection = connect("/events", { onGap: ({ missed }) => console.log(missed) });
        // @ts-expect-error: events have no such field
        for await (const { text } of events) console.log(text);
        """
    )
    options = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext", "--types", ""]
    (tmp_path / "package.json").write_text('{ "type": "module" }')
    process = await asyncio.create_subprocess_exec(
        node.node(), compiler, *options, "use.ts", cwd=tmp_path, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()

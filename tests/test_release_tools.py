"""The script that prepares releases: links, versions, notes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
URL = "https://example.com/somebody/ssejet"


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


release = script("release")


@pytest.mark.parametrize(
    ("relative", "absolute"),
    [
        ("[a](docs/a.md#part)", f"[a]({URL}/blob/v1.0/docs/a.md#part)"),
        ("![p](docs/p.svg)", f"![p]({URL}/raw/v1.0/docs/p.svg)"),
        ('<img src="docs/p.png">', f'<img src="{URL}/raw/v1.0/docs/p.png">'),
        ('<source srcset="docs/p.svg">', f'<source srcset="{URL}/raw/v1.0/docs/p.svg">'),
        ("[a](https://x.org/a) [b](#below) [c](mailto:a@b.c)", None),
        ("no link (docs/a.md)", None),
    ],
)
def test_relative_links_become_absolute(relative: str, absolute: str | None) -> None:
    assert release.absolute_links(relative, URL, "v1.0") == (absolute or relative)


def test_a_prepared_tree_has_the_address_in_each_package(tmp_path: Path) -> None:
    for name in ("README.md", "CHANGELOG.md", "pyproject.toml", "Cargo.toml", "rust/core/Cargo.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("- unreleased", "- 2030-01-02"))
    release.prepare(tmp_path, URL, "v0.1.0")
    assert f'Repository = "{URL}"' in (tmp_path / "pyproject.toml").read_text()
    assert f'\nrepository = "{URL}"\n' in (tmp_path / "rust/core/Cargo.toml").read_text()
    readme = (tmp_path / "README.md").read_text()
    # No link is left that leads nowhere outside of the repository.
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", readme)
    assert targets
    assert not [link or image for link, image in targets if not re.match(r"https?:|#", link or image)]


def test_a_tag_must_name_the_version_of_the_crates_and_of_the_changelog() -> None:
    cargo, changelog = '[p]\nversion = "1.0.0"\n', "## [1.0.0] - 2030-01-02\n"
    release.check_version(cargo, changelog, "v1.0.0")
    with pytest.raises(SystemExit, match=r"Cargo.toml does not name the version 1\.0\.1"):
        release.check_version(cargo, changelog, "v1.0.1")
    with pytest.raises(SystemExit, match="unreleased"):
        release.check_version(cargo, "## [1.0.0] - unreleased\n", "v1.0.0")


def test_the_notes_are_the_newest_section() -> None:
    changelog = (
        "# Changelog\n\nText.\n\n## [2.0] - 2030-01-01\n\n### Added\n\n- B\n\n## [1.0] - 2029-01-01\n\n- A\n"
    )
    assert release.newest_section(changelog) == "### Added\n\n- B"


def test_a_source_distribution_that_lacks_a_file_is_refused(tmp_path: Path) -> None:
    if subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("the repository's list of files is not here")
    sdist = tmp_path / "ssejet-0.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(ROOT / "README.md", "ssejet-0/README.md")
        archive.add(ROOT / "README.md", "ssejet-0/target/foreign.md")
    command = [sys.executable, str(ROOT / "tools" / "release.py"), "check", str(sdist)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "It lacks:\n" in done.stderr
    assert "\n  pyproject.toml\n" in done.stderr
    assert "It should not hold:\n  target/foreign.md\n" in done.stderr

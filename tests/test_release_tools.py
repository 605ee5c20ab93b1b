"""The script that prepares releases: links, versions, notes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import date
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


def copy_what_a_release_changes(to: Path) -> None:
    names = [*release.pages(ROOT), *release.LOCKS, "Cargo.toml", "pyproject.toml", "rust/core/Cargo.toml"]
    for name in names:
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, to / name)


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
    copy_what_a_release_changes(tmp_path)
    release.release(tmp_path, "0.1.0", date(2030, 1, 2))
    release.prepare(tmp_path, URL, "v0.1.0")
    assert f'Repository = "{URL}"' in (tmp_path / "pyproject.toml").read_text()
    assert f'\nrepository = "{URL}"\n' in (tmp_path / "rust/core/Cargo.toml").read_text()
    readme = (tmp_path / "README.md").read_text()
    # No link is left that leads nowhere outside of the repository.
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", readme)
    assert targets
    assert not [link or image for link, image in targets if not re.match(r"https?:|#", link or image)]


def test_on_the_day_of_a_release_the_version_the_date_and_the_pages_change(tmp_path: Path) -> None:
    copy_what_a_release_changes(tmp_path)
    changelog = tmp_path / "CHANGELOG.md"
    section = release.newest_section(changelog.read_text())
    changelog.write_text(f"# Changelog\n\n## [9.8.7] - unreleased\n\n{section}\n")
    marked = [name for name in release.pages(ROOT) if release.UNTIL_RELEASE.search((ROOT / name).read_text())]

    changed = release.release(tmp_path, "9.8.7", date(2030, 1, 2))
    assert set(changed) == {"CHANGELOG.md", "Cargo.toml", *release.LOCKS, *marked}
    assert changelog.read_text().startswith("# Changelog\n\n## [9.8.7] - 2030-01-02\n")
    assert release.newest_section(changelog.read_text()) == section
    for name in release.pages(tmp_path):
        text = (tmp_path / name).read_text()
        assert "until the release" not in text
        assert text.count("\n\n\n") <= (ROOT / name).read_text().count("\n\n\n")
    for name in release.LOCKS:
        locked = re.findall(
            r'name = "ssejet-(?:core|python)"\nversion = "(.*)"', (tmp_path / name).read_text()
        )
        assert set(locked) == {"9.8.7"}
    release.prepare(tmp_path, URL, "v9.8.7")


@pytest.mark.parametrize(
    ("version", "heading", "reason"),
    [
        ("1.0", "## [1.0.0] - unreleased", "has the form 1.2.3"),
        ("1.0.0", "## [1.0.0] - 2030-01-02", "the newest heading of CHANGELOG.md is not"),
        ("1.0.0", "", "the newest heading of CHANGELOG.md is not"),
    ],
)
def test_a_release_that_cannot_be_made_changes_nothing(
    version: str, heading: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "Cargo.toml").write_text('version = "0.9.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n")
    with pytest.raises(SystemExit, match=reason):
        release.release(tmp_path, version, date(2030, 1, 2))
    assert (tmp_path / "Cargo.toml").read_text() == 'version = "0.9.0"\n'


def test_what_holds_only_until_the_release_is_marked_so() -> None:
    early = re.compile(r"\b(?:package index|released)\b[^.]*\byet\b|\bpip install (?:\.|\"\.)")
    for name in release.pages(ROOT):
        assert not early.search(release.from_the_release_on((ROOT / name).read_text())), name


def test_pages_that_say_what_holds_only_until_the_release_are_not_published(tmp_path: Path) -> None:
    (tmp_path / "Cargo.toml").write_text('[p]\nversion = "1.0.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [1.0.0] - 2030-01-02\n")
    (tmp_path / "README.md").write_text(
        "<!-- until the release -->\nNot yet.\n<!-- from the release on:\nNow.\n-->\n"
    )
    with pytest.raises(SystemExit, match=r"README\.md still say what holds only until the release: run"):
        release.prepare(tmp_path, URL, "v1.0.0")


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

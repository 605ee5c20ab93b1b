"""What a release needs beside the builds. .github/workflows/release.yml calls all but the first command.

``release 1.2.3`` makes the changes of the day of a release, and says how to go on. It writes the version into
Cargo.toml and the lock files, the date into CHANGELOG.md, and into the pages what they say from then on.

``prepare --repository URL --tag v1.2.3`` checks that the tag, Cargo.toml and CHANGELOG.md name one version,
and that no page says what holds only until the release. It writes the repository's address into
pyproject.toml and Cargo.toml, and absolute links into README.md. Do not commit that.

``notes`` prints the newest section of CHANGELOG.md.

``check SDIST`` checks that a source distribution holds each file of the repository, and no others.
"""

from __future__ import annotations

import argparse
import datetime
import re
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A link or a picture in Markdown or HTML, up to its target.
_LINK = re.compile(r"(\]\(|\b(?:href|src|srcset)=\")(?![a-z]+:|#|/)([^)\"\s]+)")
_PICTURE = re.compile(r"\.(gif|jpg|png|svg|webp)$")

# What a page says until the release, and in a comment what it says from then on.
UNTIL_RELEASE = re.compile(
    r"<!-- until the release -->\n.*?<!-- from the release on:\n(?P<after>.*?)-->\n(?P<space>\n*)",
    re.DOTALL,
)
LOCKS = ("Cargo.lock", "rust/fuzz/Cargo.lock", "rust/benches/Cargo.lock")


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("release")
    command.add_argument("version")
    command.add_argument("--date", type=datetime.date.fromisoformat, default=datetime.date.today())  # noqa: DTZ011
    for name in ("prepare", "notes"):
        command = commands.add_parser(name)
        command.add_argument("--repository", required=name == "prepare")
        command.add_argument("--tag", required=name == "prepare")
    commands.add_parser("check").add_argument("sdist", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "release":
        changed = release(ROOT, arguments.version, arguments.date)
        print("Changed:", *changed, sep="\n  ")
        print(
            f"Read `git diff`, then run:\n"
            f"  git commit --all --message 'Release {arguments.version}'\n"
            f"  git tag --annotate v{arguments.version} --message 'ssejet {arguments.version}'\n"
            f"  git push origin HEAD v{arguments.version}\n"
            "The tag starts .github/workflows/release.yml, which publishes, and drafts a release with these "
            "notes:\n\n"
            f"{newest_section(_read('CHANGELOG.md'))}"
        )
    elif arguments.command == "prepare":
        prepare(ROOT, arguments.repository.rstrip("/"), arguments.tag)
    elif arguments.command == "notes":
        notes = newest_section(_read("CHANGELOG.md"))
        if arguments.repository and arguments.tag:
            notes = absolute_links(notes, arguments.repository.rstrip("/"), arguments.tag)
        print(notes)
    else:
        check(arguments.sdist)


def release(root: Path, version: str, date: datetime.date) -> list[str]:
    """Make the changes of the day of a release.

    Args:
        root: the folder of the repository.
        version: the version to release.
        date: the day.

    Returns:
        The files that changed.

    Raises:
        SystemExit: the version has another form, or CHANGELOG.md has no unreleased section. No file changes.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"a version has the form 1.2.3, and not {version}")
    changelog = _read("CHANGELOG.md", root)
    heading = re.search(r"^## \[.*$", changelog, re.MULTILINE)
    if heading is None or not heading[0].endswith("] - unreleased"):
        sys.exit(f'the newest heading of CHANGELOG.md is not "## [{version}] - unreleased"')
    own = re.compile(r'((?:name = "ssejet-(?:core|python)"|\[workspace\.package\])\nversion = )"[^"]*"')
    texts = {name: own.sub(rf'\g<1>"{version}"', _read(name, root)) for name in ("Cargo.toml", *LOCKS)}
    texts["CHANGELOG.md"] = changelog.replace(heading[0], f"## [{version}] - {date.isoformat()}", 1)
    texts |= {name: from_the_release_on(_read(name, root)) for name in pages(root) if name not in texts}
    changed = [name for name, text in texts.items() if text != _read(name, root)]
    for name in changed:
        (root / name).write_text(texts[name], encoding="utf-8")
    return changed


def pages(root: Path) -> list[str]:
    """The names of the pages for users."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "rust" / "core").glob("*.md")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def from_the_release_on(page: str) -> str:
    """The page, with what it says from the release on in place of what it says until then."""
    return UNTIL_RELEASE.sub(lambda match: match["after"] and match["after"] + match["space"], page)


def prepare(root: Path, repository: str, tag: str) -> None:
    """Write the repository's address into the files that the packages are made of.

    Args:
        root: the folder of the repository.
        repository: its address, without a slash at the end.
        tag: the tag of the release.

    Raises:
        SystemExit: the tag, Cargo.toml and CHANGELOG.md do not name one version, a page still says what holds
            only until the release, or a file has another form.
    """
    check_version(_read("Cargo.toml", root), _read("CHANGELOG.md", root), tag)
    if early := [name for name in pages(root) if UNTIL_RELEASE.search(_read(name, root))]:
        sys.exit(
            f"{', '.join(early)} still say what holds only until the release: "
            f"run `python tools/release.py release {tag.removeprefix('v')}`, commit, and tag that commit"
        )
    readme = root / "README.md"
    readme.write_text(absolute_links(_read("README.md", root), repository, tag), encoding="utf-8")
    urls = f"""[project.urls]
Repository = "{repository}"
Documentation = "{repository}/tree/{tag}/docs"
Changelog = "{repository}/blob/{tag}/CHANGELOG.md"
Issues = "{repository}/issues"

"""
    _insert(root / "pyproject.toml", "[project.optional-dependencies]\n", urls)
    _insert(root / "rust" / "core" / "Cargo.toml", 'documentation = "', f'repository = "{repository}"\n')


def check_version(cargo: str, changelog: str, tag: str) -> None:
    """Check that a tag, Cargo.toml and CHANGELOG.md name one version, and that it has its date.

    Args:
        cargo: the text of Cargo.toml.
        changelog: the text of CHANGELOG.md.
        tag: the tag of the release.

    Raises:
        SystemExit: they do not.
    """
    version = tag.removeprefix("v")
    if f'\nversion = "{version}"\n' not in cargo:
        sys.exit(f"Cargo.toml does not name the version {version} of the tag {tag}")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        sys.exit(
            f'CHANGELOG.md has no heading "## [{version}] - YYYY-MM-DD": '
            'write the date in place of "unreleased"'
        )


def absolute_links(text: str, repository: str, tag: str) -> str:
    """The text with absolute links in place of relative ones: a package index has no other files."""

    def absolute(match: re.Match[str]) -> str:
        before, target = match.groups()
        kind = "raw" if _PICTURE.search(target) else "blob"
        return f"{before}{repository}/{kind}/{tag}/{target.removeprefix('./')}"

    return _LINK.sub(absolute, text)


def newest_section(changelog: str) -> str:
    """The text under the first heading of a version."""
    _, _, rest = changelog.partition("\n## ")
    _, _, section = rest.partition("\n")
    return section.partition("\n## ")[0].strip()


def check(sdist: Path) -> None:
    """Check that a source distribution holds each file of the repository, and no others.

    Args:
        sdist: the path of the archive.

    Raises:
        SystemExit: it does not.
    """
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    # A link to a folder becomes a folder of files.
    tracked = {name for name in listed.stdout.split("\0") if name and not (ROOT / name).is_dir()}
    links = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_dir()]
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive if not member.isdir()}
    missing = sorted(tracked - held)
    foreign = sorted(
        name
        for name in held - tracked - {"PKG-INFO"}
        if not any(name.startswith(f"{link}/") for link in links)
    )
    for heading, names in (("It lacks:", missing), ("It should not hold:", foreign)):
        if names:
            print(heading, *names, sep="\n  ", file=sys.stderr)
    if missing or foreign:
        sys.exit(f"{sdist.name} is not what the repository holds: see [tool.maturin] in pyproject.toml")
    print(f"{sdist.name}: {len(held)} files, {sdist.stat().st_size:,} bytes")


def _insert(path: Path, before: str, text: str) -> None:
    content = path.read_text(encoding="utf-8")
    if content.count(before) != 1:
        sys.exit(f"{path.name} has no single {before.strip()!r}, before which the addresses go")
    path.write_text(content.replace(before, text + before), encoding="utf-8")


def _read(name: str, root: Path = ROOT) -> str:
    return (root / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    main()

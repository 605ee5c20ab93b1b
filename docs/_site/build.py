"""Builds the documentation site: `make docs`, or `python docs/_site/build.py`.

It makes the folder ``site/pages``, of the pages in ``docs`` and of files that lie elsewhere. Of these
Zensical builds ``site/html``, strictly, with the reference from the docstrings. Then it writes ``llms.txt``,
and checks all links, and that no page loads anything from another host. The configuration is ``mkdocs.yml``.
"""

from __future__ import annotations

import ast
import html
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
PAGES = ROOT / "site" / "pages"
HTML = ROOT / "site" / "html"

# Files outside of docs that are pages of the site.
TARGETS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
} | {f"examples/{path.name}": f"examples/{path.stem}.md" for path in sorted(ROOT.glob("examples/*.py"))}
# Scripts that a page loads.
SCRIPTS = {"python/ssejet/js/ssejet.js": "assets/ssejet.js"}

_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
# A picture for light and dark pages. The site's switch does not reach what HTML chooses.
_PICTURE = re.compile(
    r'<picture>\s*<source[^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)">\s*</picture>'
)
_COMMENT = re.compile(r"<!--.*?-->\n*", re.DOTALL)
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_TITLE = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr>.*?</tr>", re.DOTALL)
_ADDRESS = re.compile(r"<code>https?://[^<]*</code>")
_VARIABLE = re.compile(r"<code>[A-Z][A-Z\d]*_[A-Z\d_]*</code>")
_TAG = re.compile(r"<[^>]*>")


class SiteError(Exception):
    """The site cannot be built, or something in it is wrong."""


def main() -> int:
    try:
        if importlib.util.find_spec("zensical") is None:
            raise SiteError(
                "Zensical is not installed here: `make docs` installs it, for Python 3.11 and newer"
            )
        config = _configuration()
        shutil.rmtree(ROOT / "site", ignore_errors=True)
        prepare(config.get("repo_url") or "")
        _build(config)
        write_lists(config)
        faults = list(check(HTML))
    except SiteError as error:
        faults = [str(error)]
    for fault in faults:
        print(f"docs: {fault}", file=sys.stderr)
    if not faults:
        count = len(list(HTML.rglob("*.html")))
        print(f"built {count} pages in {HTML.relative_to(ROOT)}; all links lead somewhere")
    return 1 if faults else 0


def _configuration() -> dict[str, Any]:
    """Read mkdocs.yml. The pages that it does not name go to the end of the guides."""

    class Loader(yaml.SafeLoader):
        pass

    def from_environment(loader: yaml.SafeLoader, node: yaml.Node) -> str:
        name, default = loader.construct_sequence(node)
        return os.environ.get(name, default)

    Loader.add_constructor("!ENV", from_environment)
    config: dict[str, Any] = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)
    (guides,) = (section["Guides"] for section in config["nav"] if "Guides" in section)
    (examples,) = (section["Examples"] for section in config["nav"] if "Examples" in section)
    guides += sorted({path.name for path in DOCS.glob("*.md")} - set(_paths(config["nav"])))
    examples += [target for target in TARGETS.values() if target.startswith("examples/")]
    return config


def _paths(nav: list[Any]) -> list[str]:
    return [path for _, _, path in _entries(nav)]


def _entries(nav: list[Any], section: str = "") -> Iterator[tuple[str, str, str]]:
    """Give section, title and path of each page in the navigation; the title may be empty."""
    for item in nav:
        title, value = next(iter(item.items())) if isinstance(item, dict) else ("", item)
        if isinstance(value, list):
            yield from _entries(value, title)
        else:
            yield section, title, value


def prepare(repository: str) -> None:
    """Write all pages, with links that lead to pages, to ``site/pages``."""
    shutil.copytree(DOCS, PAGES, ignore=shutil.ignore_patterns("_site"))
    for page in sorted(PAGES.rglob("*.md")):
        place = page.relative_to(PAGES).as_posix()
        _write(page, _with_links(page.read_text(encoding="utf-8"), f"docs/{place}", place, repository))
    rows = []
    for source, target in TARGETS.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        if source.startswith("examples/"):
            about = (ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].replace("\n", " ")
            name = Path(source).stem
            rows.append(f"| [{name}.py]({name}.md) | {about} |")
            title = name.replace("_", " ").capitalize()
            _write(PAGES / target, f'# {title}\n\n```python title="{source}"\n{text}```\n')
        elif target != "index.md":
            _write(PAGES / target, _with_links(text, source, target, repository))
    head = "# Examples\n\nPrograms that run as they are; the tests run each of them.\n\n"
    head += "| example | what it does |\n|---|---|\n"
    _write(PAGES / "examples/index.md", head + "\n".join(rows) + "\n")
    for source, target in SCRIPTS.items():
        shutil.copyfile(ROOT / source, PAGES / target)
    # Griffe would read the extension module, if it is there, in place of its stub.
    binaries = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(ROOT / "python", ROOT / "site" / "python", ignore=binaries)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _with_links(text: str, source: str, place: str, repository: str) -> str:
    """Turn links to files into links to their pages, or into text if a file has no page; drop comments."""

    def replace(match: re.Match[str]) -> str:
        label, target, anchor = match[1], match[2], match[3] or ""
        path = (ROOT / source).parent.joinpath(target).resolve()
        name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else target
        if path.is_relative_to(DOCS) or name in TARGETS:
            uri = TARGETS.get(name) or path.relative_to(DOCS).as_posix()
            return f"[{label}]({os.path.relpath(uri, Path(place).parent)}{anchor})"
        # A page that this script makes.
        if target.endswith(".md") and source.startswith("docs/") and not path.exists():
            return match[0]
        if not path.exists():
            raise SiteError(f"{source} links to {target}, which does not exist")
        return f"[{label}]({repository.rstrip('/')}/blob/main/{name}{anchor})" if repository else label

    text = _COMMENT.sub("", text)
    text = _PICTURE.sub(r"![\2](\3#only-light)\n![\2](\1#only-dark)", text)
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _LINK.sub(replace, part) for part in parts)


def _build(config: dict[str, Any]) -> None:
    written = ROOT / "site" / "mkdocs.yml"
    _write(written, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    command = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--clean",
        "--strict",
        "--config-file",
        str(written),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    output = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)
    if done.returncode or re.search(r"(?im)\bwarning\b|^griffe:", output):
        raise SiteError(f"zensical reports:\n{output.strip()}")
    for page in (HTML / "reference").rglob("*.html"):
        # Where the sources are in the repository.
        _write(page, page.read_text(encoding="utf-8").replace("<code>site/python/", "<code>python/"))
    for page in set(HTML.rglob("*.html")) - set((HTML / "reference").rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        _write(page, _TABLE.sub(lambda table: with_labels(table[0]), text))


def with_labels(table: str) -> str:
    """Give each cell of a wide table its column's heading, which a phone shows; let long names break.

    Addresses and environment variables break where there is no room for them.

    A phone shows a row as a paragraph. With two columns, the line of headings above says enough.
    """
    headings = [html.escape(html.unescape(_TAG.sub("", cell)).strip()) for cell in _TITLE.findall(table)]
    if len(headings) > 2:

        def label(row: re.Match[str]) -> str:
            columns = iter(headings)
            return re.sub(r"<td\b", lambda _: f'<td data-label="{next(columns)}"', row[0])

        table = _ROW.sub(label, table)
    table = _VARIABLE.sub(lambda code: code[0].replace("_", "_<wbr>"), table)
    return _ADDRESS.sub(lambda code: re.sub(r"(?<=[a-z\d]/)(?=\w)|(?=\.)", "<wbr>", code[0]), table)


def _titles(nav: list[Any]) -> Iterator[tuple[str, str, str]]:
    """Give section, title and path of each page in the navigation."""
    for section, title, path in _entries(nav):
        heading = re.search(r"^# (.+)", (PAGES / path).read_text(encoding="utf-8"), re.MULTILINE)
        yield section, title or (heading[1] if heading else path), path


def write_lists(config: dict[str, Any]) -> None:
    """Write llms.txt, the list of all pages, and llms-full.txt, the text of all but the reference."""
    base = (config.get("site_url") or "").rstrip("/")
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}"]
    full = []
    last = None
    for section, title, path in _titles(config["nav"]):
        if section != last:
            lines += ["", f"## {section}", ""]
            last = section
        text = (PAGES / path).read_text(encoding="utf-8")
        url = path.removesuffix("index.md").removesuffix(".md")
        url = f"{url}/" if url and not url.endswith("/") else url
        lines.append(f"- [{title}]({base}/{url}): {_summary(text)}".removesuffix(": "))
        if not path.startswith("reference/"):
            full.append(f"<!-- {path} -->\n\n{text.strip()}\n")
    _write(HTML / "llms.txt", "\n".join(lines) + "\n")
    _write(HTML / "llms-full.txt", "\n\n".join(full))


def _summary(markdown: str) -> str:
    """The first sentence of a page's first paragraph, without its links."""
    paragraphs = (part.strip() for part in markdown.split("\n\n"))
    text = next((part for part in paragraphs if re.match(r"[\w`*\[]", part)), "")
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text.replace("\n", " ").replace("**", ""))
    return re.split(r"(?<=[.:])\s", text, maxsplit=1)[0].rstrip(":")


class _Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(values.get("href", ""))
        self.loads += [values[name] for name in ("src", "srcset") if name in values]


def check(folder: Path) -> Iterator[str]:
    """Find links without a page or anchor, and what a browser would load from another host."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder).as_posix()
        for url in page.links + page.loads:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc:
                if url in page.loads and parts.scheme != "data":
                    yield f"{name} loads {url} from another host"
                continue
            # The page for missing addresses is shown at any of them, so its links begin at the root.
            start = folder if parts.path.startswith("/") else path.parent
            target = path if not parts.path else (start / unquote(parts.path).lstrip("/")).resolve()
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name} links to {url}, which does not exist"
            elif parts.fragment and target in pages:
                fragment = unquote(parts.fragment)
                if fragment not in pages[target].anchors and not fragment.startswith("__"):
                    yield f"{name} links to {url}, which has no such anchor"


if __name__ == "__main__":
    sys.exit(main())

"""Adds pages to the site that are generated from the code, or that lie elsewhere in the repository."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

import pages  # noqa: E402 - beside this file

# Files of the repository that are also pages of the site.
ELSEWHERE = {
    "changes.md": ROOT / "CHANGELOG.md",
    "results/programs.md": ROOT / "programs" / "README.md",
    **{f"results/{path.name}": path for path in sorted((ROOT / "ci" / "results").glob("*.md"))},
}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the committed results to the navigation, which names every other page."""
    sections = {next(iter(section)): next(iter(section.values())) for section in config.nav}
    named = _named(config.nav)
    results = [name for name in ELSEWHERE if name.startswith("results/") and name not in named]
    sections["Check the claims"].append({"Committed results": [{Path(name).stem: name} for name in results]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, path in ELSEWHERE.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    files.append(File.generated(config, "errors.md", content=pages.errors()))
    files.append(File.generated(config, "commands.md", content=pages.commands()))
    files.append(File.generated(config, "schemas.md", content=pages.schemas()))
    files.append(File.generated(config, "results/overlap-capital.html", content=pages.overlap()))
    return files


def _named(part: object) -> list[str]:
    """The pages in a navigation."""
    if isinstance(part, str):
        return [part]
    parts = part.values() if isinstance(part, dict) else part
    return [name for inner in parts for name in _named(inner)]

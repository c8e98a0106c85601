"""The long description of the distribution: the README, as it can be read outside of the repository.

The rule: a relative link becomes one below the addresses in `[project.urls]`; a relative picture is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_PICTURE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", flags=re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def long_description(readme: str, urls: dict[str, str]) -> str:
    """The text; `urls` has `Documentation`, below which the pages of `docs/` are, and `Source`."""

    def absolute(found: re.Match[str]) -> str:
        path, anchor = found[1], found[2] or ""
        if path.startswith("docs/") and path.endswith(".md"):
            return f"]({urls['Documentation']}{path[5:-3]}.html{anchor})"
        return f"]({urls['Source']}{path}{anchor})"

    return _LINK.sub(absolute, _PICTURE.sub("", readme))


class LongDescription(MetadataHookInterface):
    """Called by hatchling for each build."""

    def update(self, metadata: dict[str, Any]) -> None:
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = long_description(readme, metadata["urls"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}

"""Mach9's static files."""

from typing import Any

__all__ = ["register"]


def register(
    app: Any,
    uri: str,
    file_or_directory: Any,
    pattern: str,
    use_modified_since: bool,
    use_content_range: bool,
) -> None:
    """Calls `app.static(...)`."""
    app.static(uri, file_or_directory, pattern, use_modified_since, use_content_range)

"""Addresses of exact lines in a service's repository, in the forms of GitHub and GitLab."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from monitoring.models import Service


def line_url(service: Service, path: str, line: int | None = None) -> str:
    """Return the address of a file's line on the service's branch, or "" when no web address is set."""
    base = service.repository_url.rstrip("/").removesuffix(".git")
    parts = urlsplit(base)
    if not path or parts.scheme not in {"http", "https"}:
        return ""
    gitlab = "gitlab" in (parts.hostname or "")
    middle = "-/blob" if gitlab else "blob"
    anchor = f"#L{line}" if line else ""
    return f"{base}/{middle}/{quote(service.repository_branch)}/{quote(path)}{anchor}"

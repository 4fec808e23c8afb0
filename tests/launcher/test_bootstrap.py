"""When to install, and with whose settings; nothing here reaches an index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import bootstrap
from launcher.console import LauncherError
from launcher.layout import Layout


@pytest.fixture
def layout(checkout: Path) -> Layout:
    return Layout(checkout, checkout / "var")


def current(layout: Layout) -> bool:
    return bootstrap.is_current(layout, "requirements.txt")


def test_an_installed_environment_is_left_alone(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "install", lambda *_: pytest.fail("installed again"))
    bootstrap.ensure(layout, "requirements.txt", {})


def test_other_pins_are_noticed(layout: Layout) -> None:
    (layout.root / "requirements.txt").write_text("django==5.2.20\n")
    assert not current(layout)


def test_another_python_is_noticed(layout: Layout) -> None:
    file = layout.venv / "pyvenv.cfg"
    kept = file.read_text()
    version = bootstrap.venv_version(layout)
    other = "3.12" if version != "3.12" else "3.13"
    file.write_text(kept.replace(f"version = {version}", f"version = {other}"))
    assert not current(layout)


def test_an_environment_whose_python_is_gone_is_noticed(layout: Layout) -> None:
    layout.python.unlink()
    assert not current(layout)


def test_an_environment_that_was_moved_is_noticed(layout: Layout, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    layout.root.rename(moved)
    assert not current(Layout(moved, moved / "var"))


def test_included_requirements_count(layout: Layout) -> None:
    (layout.root / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    before = bootstrap.stamp(layout, "requirements-dev.txt")
    (layout.root / "requirements.txt").write_text("django==5.2.20\n")
    assert bootstrap.stamp(layout, "requirements-dev.txt") != before


def test_all_included_files_are_stamped_at_once(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    (layout.root / "requirements.txt").write_text("django==5.2.20\n")
    (layout.root / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    monkeypatch.setattr(bootstrap, "install", lambda *_: None)
    bootstrap.ensure(layout, "requirements-dev.txt", {})
    assert current(layout)


def test_a_failed_installation_says_what_to_do(layout: Layout) -> None:
    (layout.root / "requirements.txt").write_text("django==5.2.20\n")
    command = [sys.executable, "agentops", "manage", "check"]
    offline = {"PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    env = {"PATH": os.environ["PATH"], "HOME": str(layout.root), **offline}
    done = subprocess.run(  # noqa: S603 - the script under test
        command, cwd=layout.root, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert not done.stdout
    assert not current(layout)


def test_without_ensurepip_the_package_to_install_is_named(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(LauncherError, match=f"apt install python{version}-venv"):
        bootstrap.make_venv(layout, {})


def test_pip_settings_are_passed_on_to_uv() -> None:
    listing = "\n".join(
        [
            ":env:.cert='/env.pem'",
            "global.cert='/file.pem'",
            "global.extra-index-url='https://a.example/simple\\nhttps://b.example/simple'",
            "global.timeout='60'",
            "install.find-links='/one /two'",
            "not a line of settings",
        ]
    )
    assert bootstrap.translated(listing) == {
        "SSL_CERT_FILE": "/env.pem",
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/one,/two",
    }
    assert bootstrap.translated("") == {}

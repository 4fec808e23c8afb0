"""Numbers of the environment: one that cannot be meant is refused with its name."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from agentops_site.environment import number


@pytest.mark.parametrize("given", ["seven", "-0.1", "1.01", "nan"])
def test_a_number_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("AUTO_FIX_THRESHOLD", given)
    with pytest.raises(ImproperlyConfigured, match="AUTO_FIX_THRESHOLD"):
        number("AUTO_FIX_THRESHOLD", 0.85, least=0, most=1)


def test_a_number_within_its_limits_and_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTO_FIX_THRESHOLD", " 0.9 ")
    assert number("AUTO_FIX_THRESHOLD", 0.85, least=0, most=1) == 0.9
    monkeypatch.setenv("AUTO_FIX_THRESHOLD", "")
    assert number("AUTO_FIX_THRESHOLD", 0.85, least=0, most=1) == 0.85

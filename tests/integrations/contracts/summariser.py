"""What every Summariser must do: mix into a test class that provides `make()` and `make_failing()`."""

from __future__ import annotations

from abc import abstractmethod

import pytest

from agentops_site.summary_port import Summariser, SummaryError

FACTS = "1 service is watched. Shop API is down. 1 incident waits for a person."


class SummariserContract:
    """The contract of the port."""

    @abstractmethod
    def make(self) -> Summariser:
        """Return a summariser that works."""

    @abstractmethod
    def make_failing(self) -> Summariser:
        """Return a summariser whose vendor fails."""

    def test_it_has_a_name(self) -> None:
        assert self.make().name

    def test_facts_become_words(self) -> None:
        assert len(self.make().summarise(FACTS)) > 10

    def test_many_facts_become_words_too(self) -> None:
        assert self.make().summarise(FACTS * 2_000)

    def test_a_failure_is_the_ports_error_in_words(self) -> None:
        with pytest.raises(SummaryError) as refused:
            self.make_failing().summarise(FACTS)
        assert str(refused.value)

"""What every Voice must do: mix into a test class that provides `make_voice()` and `make_failing_voice()`."""

from __future__ import annotations

from abc import abstractmethod

import pytest

from agentops_site.voice_port import Voice, VoiceError


class VoiceContract:
    """The contract of the port."""

    @abstractmethod
    def make_voice(self) -> Voice:
        """Return a voice that works."""

    @abstractmethod
    def make_failing_voice(self) -> Voice:
        """Return a voice whose vendor fails."""

    def test_it_has_a_name(self) -> None:
        assert self.make_voice().name

    def test_a_script_becomes_audio(self) -> None:
        audio = self.make_voice().speak("Shop API is down.")
        assert audio.startswith((b"ID3", b"\xff"))
        assert len(audio) > 200

    def test_a_long_script_becomes_audio_too(self) -> None:
        assert self.make_voice().speak("Shop API is down. " * 500)

    def test_a_failure_is_the_ports_error_in_words(self) -> None:
        with pytest.raises(VoiceError) as refused:
            self.make_failing_voice().speak("Shop API is down.")
        assert str(refused.value)

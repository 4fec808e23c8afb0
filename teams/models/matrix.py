"""One cell of the approval matrix: what a role may do, up to which severity, on which service."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from teams.roles import (
    BY_SEVERITY,
    NOT_FOR_MANAGERS,
    ROLE_WORDS,
    SEVERITIES,
    VERB_WORDS,
    Role,
    Verb,
)


class MatrixRow(models.Model):
    """A right of a role. No row means: denied. A row of a service stands before the global one."""

    role = models.CharField(
        max_length=20, choices=[(role.value, ROLE_WORDS[role]) for role in Role]
    )
    verb = models.CharField(
        max_length=30, choices=[(verb.value, VERB_WORDS[verb]) for verb in Verb]
    )
    up_to = models.CharField(
        max_length=10,
        blank=True,
        choices=[(word, word) for word in SEVERITIES],
        help_text="The highest severity, for approve, reject, request changes and choose candidate.",
    )
    service_slug = models.SlugField(
        max_length=40, blank=True, help_text="Empty: on every service that has no row of its own."
    )
    granted = models.BooleanField(
        default=True,
        help_text="Off: takes the right away on this service although it is given globally.",
    )

    class Meta:
        ordering = ["service_slug", "verb", "role"]
        verbose_name = "right"
        verbose_name_plural = "approval matrix rows"
        constraints = [
            models.UniqueConstraint(
                fields=["role", "verb", "service_slug"], name="one_right_per_role_verb_service"
            )
        ]

    def __str__(self) -> str:
        may = "may" if self.granted else "may not"
        limit = f" up to {self.up_to}" if self.up_to and self.granted else ""
        where = f" on {self.service_slug}" if self.service_slug else ""
        return f"{self.get_role_display()} {may} {self.get_verb_display()}{limit}{where}"

    def clean(self) -> None:
        """Refuse a limit where the verb has none, a missing one where it needs it, and managers who let fixes go live."""
        if self.granted and self._takes_sides:
            raise ValidationError(
                {"role": "Managers set up who may approve; they do not approve themselves."}
            )
        if self.granted and (self.verb in BY_SEVERITY) != bool(self.up_to):
            raise ValidationError(
                {"up_to": "Give the highest severity."}
                if not self.up_to
                else {"up_to": "This verb is granted as a whole: leave the severity empty."}
            )

    @property
    def _takes_sides(self) -> bool:
        return self.role == Role.MANAGER and self.verb in NOT_FOR_MANAGERS

    def covers(self, severity: str) -> bool:
        """Tell whether the right reaches `severity`; verbs without a limit reach everything."""
        if self._takes_sides:  # also for a row that was written past the form
            return False
        if not self.granted or self.verb not in BY_SEVERITY:
            return self.granted
        if self.up_to not in SEVERITIES:  # a row that was written past the form grants nothing
            return False
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.up_to)

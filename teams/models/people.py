"""The person: signs in by e-mail, has one role."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower

from teams.roles import ROLE_WORDS, Role

AVATAR_COLORS = [(f"avatar-{number}", f"colour {number}") for number in range(1, 9)]


def validate_time_zone(name: str) -> None:
    """Refuse a name that is no time zone: the middleware would fail on every page of that person."""
    if name not in available_timezones():
        raise ValidationError(
            f"{name!r} is not a time zone; use a name such as Asia/Kolkata or Europe/Berlin."
        )


class PeopleManager(BaseUserManager["User"]):
    """Makes people by e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a person; a missing password means that signing in by password is not possible."""
        if not email:
            raise ValueError("A person needs an e-mail address.")
        person = self.model(email=email.strip().lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a manager with every Django permission (for `createsuperuser`)."""
        fields |= {"is_staff": True, "is_superuser": True, "role": fields.get("role", Role.MANAGER)}
        return self.create_user(email, password, **fields)

    def admitted(self) -> models.QuerySet[User]:
        """Return who may sign in and act: the active people, of the demo cast in demo mode only."""
        active = self.filter(is_active=True)
        return active if settings.DEMO_MODE else active.filter(is_demo=False)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a person by e-mail, whatever its letter case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractUser):
    """A person of the team; signs in by e-mail."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    role = models.CharField(
        max_length=20,
        choices=[(role.value, ROLE_WORDS[role]) for role in Role],
        default=Role.VIEWER,
    )
    display_name = models.CharField(max_length=80, blank=True)
    avatar_color = models.CharField(max_length=12, default="avatar-1", choices=AVATAR_COLORS)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    is_demo = models.BooleanField(default=False, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[PeopleManager] = PeopleManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]
        verbose_name = "person"
        verbose_name_plural = "people"
        constraints = [
            # Two letter cases of one address would be two accounts, and two counters of failed sign-ins.
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="email_is_lowercase"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Bring the address into its one spelling before a form checks whether it is free."""
        super().clean()
        self.email = self.email.strip().lower()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the person with the e-mail address in lower case."""
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)

    @property
    def is_admitted(self) -> bool:
        """Tell the same of one person who is loaded already."""
        return self.is_active and (settings.DEMO_MODE or not self.is_demo)

    @property
    def name(self) -> str:
        """Return what to call the person: the display name, else the e-mail address."""
        return self.display_name or self.email

    def get_full_name(self) -> str:
        """Return the name for Django's own pages, which else have only the address of us."""
        return self.name

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        words = self.name.replace("@", " ").split()
        return "".join(word[0] for word in words[:2]).upper()

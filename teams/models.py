"""People, what they may do, their tokens, and the record of what was done."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models

from teams.roles import Role


class PeopleManager(BaseUserManager["User"]):
    """Makes people by e-mail address."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a person; a missing password means that signing in by password is not possible."""
        if not email:
            raise ValueError("A person needs an e-mail address.")
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a manager with every Django permission (for `createsuperuser`)."""
        fields |= {"is_staff": True, "is_superuser": True, "role": fields.get("role", Role.MANAGER)}
        return self.create_user(email, password, **fields)

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a person by e-mail, whatever its letter case."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person of the team; signs in by e-mail."""

    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    role = models.CharField(
        max_length=20,
        choices=[(role.value, role.value.replace("_", " ")) for role in Role],
        default=Role.VIEWER,
    )
    display_name = models.CharField(max_length=80, blank=True)
    avatar_color = models.CharField(max_length=12, default="avatar-1")
    time_zone = models.CharField(max_length=64, default="UTC")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[PeopleManager] = PeopleManager()  # type: ignore[assignment]

    class Meta:
        ordering = ["email"]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Return what to call the person: the display name, else the e-mail address."""
        return self.display_name or self.email

    @property
    def initials(self) -> str:
        """Return one or two letters for the avatar."""
        words = self.name.replace("@", " ").split()
        return "".join(word[0] for word in words[:2]).upper()

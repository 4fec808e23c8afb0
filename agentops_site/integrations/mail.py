"""Sends messages by the mail server of the settings, to a bare e-mail address; the other kinds go through Apprise."""

from __future__ import annotations

import smtplib

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

from agentops_site.integrations.apprise import LONGEST_TEXT, AppriseAnnouncer
from incidents.ports import AnnounceError, Announcer

NOT_SENDING = "django.core.mail.backends.console.EmailBackend"


class MailAnnouncer:
    """Delivers one message to one address; only the server that the settings name is ever talked to."""

    name = "mail"

    def check(self, address: str) -> str:
        """Return the address masked; raise `AnnounceError` (permanent) when it is none."""
        try:
            validate_email(address)
        except ValidationError as error:
            raise AnnounceError("This is no e-mail address.", permanent=True) from error
        name, _, host = address.rpartition("@")
        return f"{name[0]}…@{host}"

    def announce(self, *, address: str, title: str, body: str, link: str, severity: str) -> None:
        """Send once; raise `AnnounceError`: permanent without a mail server, else worth a retry."""
        self.check(address)
        if settings.EMAIL_BACKEND == NOT_SENDING:
            raise AnnounceError("No mail server is set up here (EMAIL_HOST).", permanent=True)
        message = EmailMessage(
            subject=" ".join(title.split()),  # a line end would be another header
            body=f"{body[:LONGEST_TEXT]}\n\n{link}",
            to=[address],
        )
        try:
            message.send()
        except (OSError, smtplib.SMTPException) as error:
            raise AnnounceError(
                f"The mail server did not take it ({type(error).__name__})."
            ) from error


class AnnouncerByAddress:
    """Passes each message to what delivers to its kind of address."""

    name = "mail and Apprise"

    def __init__(self) -> None:
        """Have one of each."""
        self._mail, self._apprise = MailAnnouncer(), AppriseAnnouncer()

    def _for(self, address: str) -> Announcer:
        return self._mail if "@" in address and ":" not in address else self._apprise

    def check(self, address: str) -> str:
        """Return the address masked; raise `AnnounceError` (permanent) for what may not be a channel."""
        return self._for(address).check(address)

    def announce(self, *, address: str, title: str, body: str, link: str, severity: str) -> None:
        """Send once; raise `AnnounceError`."""
        self._for(address).announce(
            address=address, title=title, body=body, link=link, severity=severity
        )

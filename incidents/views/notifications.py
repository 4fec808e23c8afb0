"""The page of one's own notifications, and the settings of what reaches one and how."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents.alerts import notify, outbox
from incidents.models import Notification, NotificationChannel, NotificationPreference
from incidents.queries import notifications as reads
from incidents.views.person import person_of
from incidents.views.preference_forms import OwnChannelForm, PreferenceForm, ReachForm
from teams import audit
from teams.access import needs
from teams.roles import Verb

MOST_CHANNELS = 5
SETTINGS_PAGE = "/notifications/settings/"
ACCOUNT_PAGE = "/accounts/profile/"


@never_cache
@require_GET
@needs(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show the person's notifications; HTMX gets the list alone."""
    filters = reads.Filters.of(request.GET.dict())
    context = reads.page(person_of(request).pk, filters)
    partial = request.headers.get("HX-Request") == "true"
    return render(
        request, f"incidents/notifications/{'_list' if partial else 'page'}.html", context
    )


@require_POST
@needs(Verb.VIEW)
def mark_read(request: HttpRequest) -> HttpResponse:
    """Mark one (`id`) or all as read, and go back to where the person was."""
    given = request.POST.get("id", "")
    ids = [int(given)] if given.isdecimal() and len(given) < 18 else None
    notify.mark_read(person=person_of(request), ids=ids, now=timezone.now())
    return redirect(_back(request))


@never_cache
@require_GET
@needs(Verb.VIEW)
def open_one(request: HttpRequest, pk: int) -> HttpResponse:
    """Mark one as read and go where it leads."""
    row = get_object_or_404(Notification, pk=pk, person=person_of(request))
    notify.mark_read(person=person_of(request), ids=[row.pk], now=timezone.now())
    return redirect(row.link or "incidents:notifications")


def _back(request: HttpRequest, otherwise: str = "/notifications/") -> str:
    """Return the page that the form stood on, and nothing outside ours."""
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()})
    return wanted if safe and wanted.startswith("/") else otherwise


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Verb.VIEW)
def settings_page(request: HttpRequest) -> HttpResponse:
    """Show and store what the person wants to hear, and when."""
    person = person_of(request)
    row = NotificationPreference.objects.filter(person=person).first() or NotificationPreference(
        person=person
    )
    form = PreferenceForm(request.POST or None, row=row)
    if request.method == "POST" and form.is_valid():
        form.store()
        messages.success(request, "Your notification settings are stored.")
        return redirect("incidents:notification_settings")
    return _settings(request, form, OwnChannelForm())


def _settings(
    request: HttpRequest, form: PreferenceForm, channel_form: OwnChannelForm, *, status: int = 200
) -> HttpResponse:
    context = {"form": form, **_addresses(request, channel_form)}
    return render(request, "incidents/notifications/settings.html", context, status=status)


def _addresses(request: HttpRequest, channel_form: OwnChannelForm) -> dict[str, Any]:
    """Return one's own addresses, each with how the last message went and the form of what goes there."""
    channels = NotificationChannel.objects.filter(person=person_of(request))[:MOST_CHANNELS]
    shown = [
        {
            "row": row,
            "last": row.deliveries.first(),
            "form": ReachForm(
                initial={"lowest": row.lowest, "kinds": row.kinds}, auto_id=f"reach-{row.pk}-%s"
            ),
        }
        for row in channels
    ]
    return {"channel_form": channel_form, "channels": shown, "back": request.path}


@never_cache
@require_GET
@needs(Verb.VIEW)
def addresses(request: HttpRequest) -> HttpResponse:
    """Serve one's contact addresses as a part of a page that another app serves."""
    context = _addresses(request, OwnChannelForm()) | {"back": ACCOUNT_PAGE}
    return render(request, "incidents/notifications/_addresses.html", context)


@never_cache
@require_POST
@needs(Verb.VIEW)
def add_channel(request: HttpRequest) -> HttpResponse:
    """Add a way outside of one's own."""
    person = person_of(request)
    form = OwnChannelForm(request.POST)
    if (
        form.is_valid()
        and NotificationChannel.objects.filter(person=person).count() >= MOST_CHANNELS
    ):
        form.add_error(None, f"{MOST_CHANNELS} addresses are enough; remove one first.")
    if not form.is_valid():
        row = NotificationPreference.objects.filter(person=person).first()
        blank = PreferenceForm(row=row or NotificationPreference(person=person))
        return _settings(request, blank, form, status=422)
    with transaction.atomic():
        channel = form.made(NotificationChannel(person=person))
        channel.save()
        _record(request, channel, "channel.added")
    messages.success(request, f"{channel} is added; try it by its Test button.")
    return redirect(_back(request, SETTINGS_PAGE))


@require_POST
@needs(Verb.VIEW)
def change_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose anew what goes to one's own address."""
    channel = get_object_or_404(NotificationChannel, pk=pk, person=person_of(request))
    form = ReachForm(request.POST)
    if not form.is_valid():
        messages.error(request, "That is no kind of message, or no severity; nothing is changed.")
        return redirect(_back(request, SETTINGS_PAGE))
    with transaction.atomic():
        form.reach(channel).save(update_fields=["lowest", "kinds"])
        _record(request, channel, "channel.changed")
    messages.success(request, f"What goes to {channel} is stored.")
    return redirect(_back(request, SETTINGS_PAGE))


@require_POST
@needs(Verb.VIEW)
def test_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test message to one's own channel, in the background."""
    channel = get_object_or_404(NotificationChannel, pk=pk, person=person_of(request))
    with transaction.atomic():
        outbox.post_test(channel, by=str(request.user))
    messages.success(
        request, "A test message is on its way; load the page again to see how it went."
    )
    return redirect(_back(request, SETTINGS_PAGE))


@require_POST
@needs(Verb.VIEW)
def remove_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Take away a channel of one's own."""
    channel = get_object_or_404(NotificationChannel, pk=pk, person=person_of(request))
    with transaction.atomic():
        _record(request, channel, "channel.removed")
        channel.delete()
    messages.success(request, f"{channel} is removed.")
    return redirect(_back(request, SETTINGS_PAGE))


def _record(request: HttpRequest, channel: NotificationChannel, verb: str) -> None:
    audit.record(
        actor=person_of(request),
        verb=verb,
        target=channel,
        after={
            "name": channel.name,
            "shown": channel.shown_address,
            "lowest": channel.lowest,
            "kinds": channel.kinds,
        },
        origin=audit.origin_of(request),
    )

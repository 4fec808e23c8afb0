"""Rulings: fresh, explained, refused when in doubt."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries

from teams import access
from teams.access import (
    AccessRefused,
    Rulings,
    allowed_verbs,
    may,
    needs,
    people_who_may,
    require,
)
from teams.models import MatrixRow, User
from teams.roles import SEVERITIES, Role, Verb

pytestmark = pytest.mark.django_db


def test_a_junior_who_faces_a_blocker_is_told_whom_to_ask(
    shweta: User, yash: User, bhumika: User
) -> None:
    ruling = may(bhumika, "approve", severity="blocker")
    assert not ruling.allowed
    assert ruling.needed_role == Role.TEAM_LEAD
    assert ruling.reason == (
        "your role may approve up to low; this is a blocker; ask Shweta (team lead)"
    )


def test_the_nearest_role_is_named_not_the_highest(shweta: User, yash: User, bhumika: User) -> None:
    ruling = may(bhumika, "approve", severity="medium")
    assert ruling.reason.endswith("this is medium; ask Yash (senior dev)")
    assert ruling.needed_role == Role.SENIOR_DEV


def test_people_who_left_are_not_named(shweta: User, yash: User, bhumika: User) -> None:
    User.objects.filter(pk=yash.pk).update(is_active=False)
    assert may(bhumika, "approve", severity="medium").reason.endswith("ask Shweta (team lead)")


def test_a_missing_right_is_said_in_plain_words(shweta: User, maya: User) -> None:
    assert may(maya, "approve", severity="low").reason == (
        "your role may not approve; ask Shweta (team lead)"
    )


def test_with_nobody_to_ask_the_matrix_is_named(bhumika: User) -> None:
    reason = may(bhumika, "override").reason
    assert "nobody who is active may" in reason


def test_signed_out_and_inactive_people_may_nothing(yash: User) -> None:
    assert may(AnonymousUser(), "view").reason == "sign in first"
    User.objects.filter(pk=yash.pk).update(is_active=False)
    assert may(yash, "view").reason == "this account is not active"  # the object still says active
    assert allowed_verbs(yash) == set()


def test_a_superuser_gets_no_right_by_being_one(matrix: None, shweta: User) -> None:
    root = User.objects.create_superuser("root@example.com", None, role=Role.VIEWER)
    assert not may(root, "approve", severity="low").allowed
    assert not may(root, "override").allowed


def test_an_unknown_severity_counts_as_the_highest(yash: User, shweta: User) -> None:
    assert not may(yash, "approve").allowed
    assert may(shweta, "approve").allowed


@pytest.mark.parametrize("words", [{"verb": "fly"}, {"verb": "approve", "severity": "huge"}])
def test_words_that_mean_nothing_are_an_error_not_a_right(
    shweta: User, words: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="is not a"):
        may(shweta, **words)


def test_a_services_own_row_stands_before_the_global_one(bhumika: User, yash: User) -> None:
    MatrixRow.objects.create(
        role=Role.JUNIOR_DEV, verb=Verb.APPROVE, up_to="high", service_slug="blog"
    )
    MatrixRow.objects.create(
        role=Role.SENIOR_DEV, verb=Verb.APPROVE, granted=False, service_slug="bank"
    )
    assert may(bhumika, "approve", severity="high", service="blog").allowed
    assert not may(bhumika, "approve", severity="high", service="shop").allowed
    assert not may(bhumika, "approve", severity="high").allowed
    assert may(yash, "approve", severity="low", service="shop").allowed
    refusal = may(yash, "approve", severity="low", service="bank")
    assert refusal.reason.startswith("your role may not approve on bank;")


def test_a_right_taken_away_is_gone_at_once(yash: User) -> None:
    assert may(yash, "assign").allowed
    MatrixRow.objects.filter(role=Role.SENIOR_DEV, verb=Verb.ASSIGN).delete()
    assert not may(yash, "assign").allowed


def test_a_role_taken_away_counts_before_the_object_knows(yash: User) -> None:
    User.objects.filter(pk=yash.pk).update(role=Role.VIEWER)
    assert yash.role == Role.SENIOR_DEV
    assert not may(yash, "assign").allowed


def test_an_allowed_act_costs_one_query(
    yash: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert may(yash, "approve", severity="low", service="shop").allowed
    with django_assert_num_queries(1):
        verbs = allowed_verbs(yash, severity="high", service="shop")
    assert "assign" in verbs
    assert "approve" not in verbs


def test_a_row_written_past_the_form_grants_nothing(yash: User) -> None:
    MatrixRow.objects.filter(role=Role.SENIOR_DEV, verb=Verb.APPROVE).update(up_to="")
    assert not may(yash, "approve", severity="low").allowed


@pytest.mark.parametrize(
    ("verb", "up_to"), [(Verb.APPROVE, ""), (Verb.ASSIGN, "low"), (Verb.APPROVE, "enormous")]
)
def test_the_form_refuses_a_right_without_sense(matrix: None, verb: Verb, up_to: str) -> None:
    with pytest.raises(ValidationError):
        MatrixRow(role=Role.VIEWER, verb=verb, up_to=up_to).full_clean()


def test_people_who_may_come_nearest_role_first(shweta: User, yash: User, bhumika: User) -> None:
    assert people_who_may("approve", severity="low") == [bhumika, yash, shweta]
    assert people_who_may("approve", severity="critical") == [shweta]


def test_require_raises_with_the_ruling(bhumika: User, shweta: User) -> None:
    with pytest.raises(AccessRefused) as caught:
        require(bhumika, "override")
    assert caught.value.ruling.needed_role == Role.TEAM_LEAD


@needs(Verb.ASSIGN)
def _view(request: HttpRequest, word: str) -> HttpResponse:
    return HttpResponse(word)


def test_a_guarded_view_answers_only_those_who_may(rf: RequestFactory, yash: User) -> None:
    request = rf.get("/x/?a=1")
    request.user = yash
    assert _view(request, "hello").content == b"hello"  # type: ignore[attr-defined]
    request.user = AnonymousUser()
    assert _view(request, "hello").headers["Location"] == "/accounts/login/?next=/x/%3Fa%3D1"


def test_a_signed_out_htmx_request_leaves_the_whole_page(rf: RequestFactory) -> None:
    request = rf.get(
        "/part/", headers={"HX-Request": "true", "HX-Current-URL": "http://a/team/?b=2"}
    )
    request.user = AnonymousUser()
    answer = access.sign_in_first(request)
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=/team/%3Fb%3D2"


def test_many_are_judged_together_exactly_as_each_alone(
    shweta: User, yash: User, bhumika: User, viewer: User
) -> None:
    own: dict[str, Any] = {"service_slug": "shop", "role": Role.SENIOR_DEV}
    MatrixRow.objects.create(verb=Verb.ASSIGN, granted=False, **own)
    MatrixRow.objects.create(verb=Verb.APPROVE, up_to="critical", **own)
    User.objects.filter(pk=bhumika.pk).update(is_active=False)
    people = [shweta, yash, bhumika, viewer]
    for service in ("", "shop", "other"):
        rulings = Rulings(people, service=service)
        for severity in SEVERITIES:
            for person in people:
                at: dict[str, Any] = {"severity": severity}
                alone = allowed_verbs(person, **at, service=service)
                assert rulings.allowed_verbs(person, **at) == alone
                for verb in Verb:
                    assert rulings.may(person, verb, **at) == may(
                        person, verb, **at, service=service
                    )
                    assert rulings.may(person, verb, **at).allowed == (verb in alone)


def test_judging_many_costs_two_queries_and_one_to_name_whom_to_ask(
    shweta: User, yash: User, bhumika: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        rulings = Rulings([shweta, yash, bhumika], service="shop")
        assert not rulings.may(bhumika, "approve", severity="blocker").allowed
        assert not rulings.may(yash, "approve", severity="blocker").allowed


def test_who_was_not_asked_about_may_nothing(shweta: User, yash: User) -> None:
    rulings = Rulings([yash])
    assert not rulings.may(shweta, "approve").allowed
    assert rulings.allowed_verbs(shweta) == set()

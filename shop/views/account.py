"""Sign-up: a customer of the shop, remembered in the session."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from shop import target
from shop.forms import CustomerForm
from shop.pages import back_with, page

USERS = "/api/users"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show who is signed up here, or sign somebody up."""
    form = CustomerForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        reply = target.tell(USERS, form.cleaned_data)
        if reply.is_good and "id" in reply.body:
            names = ("id", "name", "email")
            request.session["customer"] = {name: str(reply.body[name]) for name in names}
            text = f"Welcome, {reply.body['name']}. Your next order goes on this name."
            return back_with(request, "shop:account", text, tone="ok")
        _explain(form, reply)
    context = {"form": form, "customer": request.session.get("customer")}
    return page(request, "account.html", context, status=422 if form.errors else 200)


@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    """Shop as a guest again."""
    request.session.pop("customer", None)
    return redirect("shop:account")


def _explain(form: CustomerForm, reply: target.Reply) -> None:
    if reply.is_away:
        form.add_error(
            None,
            "The shop is not answering just now, so nobody can sign up. Please try again in a moment.",
        )
    elif reply.error.get("type") == "ConflictError":
        form.add_error(
            "email", "This address is registered already. You can order with it as a guest."
        )
    else:
        field = reply.error.get("field", "")
        form.add_error(field if field in form.fields else None, "The shop did not accept this.")

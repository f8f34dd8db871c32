"""What operators do to a fact, and how they begin one: pages with a form that may be sent twice,
each of which calls a service."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from shop.approvals.models import Proposal
from shop.backoffice.dress import dressed
from shop.backoffice.facts import FactsAdmin, ticked
from shop.backoffice.tables import Table as Table
from shop.errors import Refusal


@dataclass(frozen=True, slots=True)
class Step:
    """Something an operator does to a fact: a page of its own, with its form and its service."""

    name: str
    title: "str | Promise"
    # What is said when it is done; it may name the fact, as its admin calls it.
    done: "str | Promise"
    form: type[forms.Form]
    service: Callable[..., Any]
    # Where the page is offered; the service decides for itself.
    is_offered: Callable[[Any], bool]
    # What there is to know before sending it.
    about: "str | Promise" = ""
    # What is said instead of `done` where the service has returned False: nothing is wrong, and
    # nothing more was done.
    not_now: "str | Promise" = ""
    # What taking it needs, "app.codename"; none: the permission to change its fact.
    permission: str = ""


class SteppedAdmin(FactsAdmin):
    """Facts with steps, each at an address below its fact's; `step_view` is the page."""

    steps: Sequence[Step] = ()
    # What texts call a fact: `%(fact)s`.
    called = "fact"
    change_form_template = "admin/shop/fact.html"

    def may_take(self, request: HttpRequest, step: Step) -> bool:
        """Whether this operator may take the step, whatever the fact's state."""
        if step.permission:
            return request.user.has_perm(step.permission)
        return super().has_operate_permission(request)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whoever may take a step may look at the fact."""
        may_change = super().has_operate_permission(request)
        return may_change or any(self.may_take(request, step) for step in self.steps)

    def title_of(self, fact: Any) -> str:
        """What the fact is called on its pages."""
        return str(fact)

    def standing(self, fact: Any) -> str:
        """How the fact stands, for whoever is about to take a step."""
        return f"{self.title_of(fact)}."

    def facts(self, fact: Any) -> Sequence[tuple["str | Promise", Any]]:
        """What else to know of a fact before taking a step: (what it is called, what it is)."""
        return ()

    def initial(self, fact: Any) -> Mapping[str, Any]:
        """What the steps' forms begin with."""
        return {}

    def links(self, request: HttpRequest, fact: Any) -> Sequence[tuple["str | Promise", str]]:
        """Where else to look from the fact's page: (title, address)."""
        return ()

    def tables(self, fact: Any) -> Sequence[Table]:
        """What the fact's page shows below its columns."""
        return ()

    def carry_out(self, step: Step, fact: Any, operator: Any, said: Mapping[str, Any]) -> Any:
        """Calls the step's service and returns what it returns. Raises Refusal."""
        return step.service(fact, operator=operator, **said)

    def refused(
        self, request: HttpRequest, fact: Any, form: forms.Form, refusal: Refusal
    ) -> HttpResponse | None:
        """Tells why a step was not taken: at its form, or on the page that this returns."""
        self.explain(form, refusal)
        return None

    def explain(self, form: forms.Form, refusal: Refusal) -> None:
        """Puts the refusal where it belongs in the form."""
        explain(form, refusal)

    def step_view(self, request: HttpRequest, object_id: str, step: Step) -> HttpResponseBase:
        """The page of a step: looks at GET, carries out at POST and goes back to the fact."""
        if not self.may_take(request, step):
            raise PermissionDenied
        fact = self.get_object(request, unquote(object_id))
        if fact is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        form = step.form(
            request.POST if request.method == "POST" else None, initial=self.initial(fact)
        )
        if form.is_valid():
            try:
                outcome = self.carry_out(step, fact, request.user, form.cleaned_data)
            except Refusal as refusal:
                page = self.refused(request, fact, form, refusal)
            else:
                if isinstance(outcome, Proposal):
                    return self.wait_for(request, outcome)
                self._tell(request, step, fact, outcome)
                page = self.page_of(fact)
            if page is not None:
                return page
        return self.form_page(request, form, title=step.title, about=step.about, fact=fact)

    def each_ticked(self, request: HttpRequest, rows: QuerySet[Any], step: Step) -> int:
        """Takes a step that asks nothing, for each ticked row on its own: one that is refused, with
        a message, keeps no other from it. Returns how many it was done for."""
        done = 0
        for fact in ticked(request, rows):
            try:
                self.carry_out(step, fact, request.user, {})
                done += 1
            except Refusal as refusal:
                messages.error(request, f"{self.title_of(fact)}: {self.why(refusal)}")
        return done

    def why(self, refusal: Refusal) -> str:
        """The refusal in the operator's words."""
        return " ".join(fault["message"] for fault in faults_of(refusal))

    def wait_for(self, request: HttpRequest, proposal: Proposal) -> HttpResponse:
        """What was asked for is not done yet: to the page where a second person decides."""
        messages.success(request, gettext("It waits for a second person."))
        if request.user.has_perm("approvals.view_proposal"):
            return redirect("admin:approvals_proposal_change", proposal.pk)
        return redirect("admin:index")

    def page_of(self, fact: Any) -> HttpResponse:
        """To the fact's page."""
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", fact.pk)

    def form_page(
        self,
        request: HttpRequest,
        form: forms.Form,
        *,
        title: "str | Promise",
        about: "str | Promise" = "",
        fact: Any = None,
    ) -> TemplateResponse:
        """A page with a form of ours: a step's, with its fact, or one that begins a fact."""
        return TemplateResponse(
            request,
            "admin/shop/form.html",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "about": about,
                "fact": fact,
                "original": fact,
                "standing": fact and self.standing(fact),
                "facts": fact and self.facts(fact),
                "form": dressed(form),
            },
        )

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path(
                f"<path:object_id>/{step.name}/",
                self.admin_site.admin_view(self.step_view),
                {"step": step},
                name=self._address(step),
            )
            for step in self.steps
        ]
        return [*pages, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        fact = context["original"]
        context["subtitle"] = self.title_of(fact)
        context["steps"] = [
            (step.title, reverse(f"admin:{self._address(step)}", args=[fact.pk]))
            for step in self.steps
            if self.may_take(request, step) and step.is_offered(fact)
        ]
        context["links"] = self.links(request, fact)
        context["tables"] = self.tables(fact)
        return super().render_change_form(request, context, *args, **kwargs)

    def _tell(self, request: HttpRequest, step: Step, fact: Any, outcome: Any) -> None:
        if outcome is False and step.not_now:
            messages.warning(request, str(step.not_now))
        else:
            messages.success(request, str(step.done) % {self.called: self.title_of(fact)})

    def _address(self, step: Step) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{step.name}"


class PlannedAdmin(SteppedAdmin):
    """Facts that operators begin: Django's page "add" is a form of ours, whose reference makes a
    second submit of it harmless."""

    plan_form: type[forms.Form]
    plan_title: "str | Promise"
    # What is said when it is done, as `Step.done`.
    plan_done: "str | Promise"

    def begin(self, form: Any, operator: Any) -> Any:
        """Does what the valid form says, once for its reference, or asks a second person to;
        returns the fact, or the proposal. Raises Refusal."""
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Django's own."""
        return ModelAdmin.has_add_permission(self, request)

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page that begins a fact."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        # What a link to this page knows stands in the form when it opens; the reference of a form
        # that was sent before would make of this one a repeat.
        known = {name: value for name, value in request.GET.items() if name != "reference"}
        form = self.plan_form(request.POST if request.method == "POST" else None, initial=known)
        if form.is_valid():
            try:
                fact = self.begin(form, request.user)
            except Refusal as refusal:
                self.explain(form, refusal)
            else:
                if isinstance(fact, Proposal):
                    return self.wait_for(request, fact)
                messages.success(request, str(self.plan_done) % {self.called: self.title_of(fact)})
                if self.has_view_permission(request):
                    return self.page_of(fact)
                return redirect("admin:index")
        return self.form_page(request, form, title=self.plan_title)


def faults_of(refusal: Refusal) -> list[dict[str, str]]:
    """What is wrong, each with its `field` ("" for none) and `message`."""
    said = [{"field": "", "message": str(refusal.detail)}]
    return list(refusal.data.get("errors") or said)


def explain(form: forms.Form, refusal: Refusal) -> None:
    """Puts each fault at its field of the form, or above all of them."""
    for fault in faults_of(refusal):
        form.add_error(fault["field"] if fault["field"] in form.fields else None, fault["message"])

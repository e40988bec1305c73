"""`manage.py refund_incident`: refund the runs that an incident spoiled, or first see what that would be."""

import datetime
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from billing import incidents
from billing.incidents import Incident
from billing.models import RefundProposal
from billing.money import in_words
from marketplace.lib.problems import Problem
from runner.models import Prediction


class Command(BaseCommand):
    """Shows the sums; with --operator proposes, and carries out what needs no second operator or has one."""

    help = "Refund the runs of a model, a version, a kind of hardware or a host that ended within a time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Times are ISO 8601, UTC where they name no zone."""
        parser.add_argument("--since", type=_moment)
        parser.add_argument("--until", type=_moment, default=datetime.datetime.now(datetime.UTC))
        parser.add_argument("--model", default="", help="owner/name")
        parser.add_argument("--version-id", default="")
        parser.add_argument("--hardware", default="", help="a SKU")
        parser.add_argument("--host", default="", help="the name of the host they ran on")
        parser.add_argument("--reason", default="", help="customers read it")
        parser.add_argument("--operator", default="", help="who does it; without it the sums are only shown")
        parser.add_argument("--confirm", default="", metavar="ID", help="confirm what another operator proposed")

    def handle(self, *, operator: str, confirm: str, **options: Any) -> None:
        """Raises CommandError for a proposal that can't be made or confirmed."""
        try:
            if confirm:
                self._carry_out(incidents.confirm(_operator(operator), confirm))
            else:
                self._propose(_incident(options), operator, options["reason"])
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        except RefundProposal.DoesNotExist as missing:
            raise CommandError(f"There is no proposal {confirm}.") from missing

    def _propose(self, incident: Incident, operator: str, reason: str) -> None:
        sums = incidents.preview(incident)
        self.stdout.write(f"{sums.runs} runs of {sums.accounts} accounts, {in_words(sums.amount_nanos)} in all")
        if not operator:
            return
        proposal = incidents.propose(_operator(operator), incident, reason=reason)
        if proposal.state == RefundProposal.State.CONFIRMED:
            self._carry_out(proposal)
        else:
            self.stdout.write(f"Proposed as {proposal.pk}: another operator confirms it with --confirm {proposal.pk}")

    def _carry_out(self, proposal: RefundProposal) -> None:
        self.stdout.write(f"{incidents.carry_out(proposal)} charges refunded")


def _incident(options: dict[str, Any]) -> Incident:
    since, until = options["since"], options["until"]
    if since is None:
        raise CommandError("--since: say from when on.")
    subjects = None
    if host := options["host"]:
        ran = Prediction.objects.filter(instance__host__name=host, completed_at__gte=since, completed_at__lt=until)
        subjects = tuple(f"prediction/{pk}" for pk in ran.values_list("pk", flat=True))
    return Incident(
        since=since,
        until=until,
        model_name=options["model"],
        version_id=options["version_id"],
        hardware=options["hardware"],
        subjects=subjects,
    )


def _operator(name: str) -> User:
    user = User.objects.filter(username=name, is_staff=True, is_active=True).first()
    if user is None:
        raise CommandError(f"--operator: there is no operator {name!r}.")
    return user


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)

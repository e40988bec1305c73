"""The table of outcomes says something about every end, and the same to all who ask."""

import itertools

import pytest

from billing.classes import BillingClass, FaultClass
from billing.outcomes import RULES, Charge, rule_of, verdict_of

RUNS = [BillingClass.SHARED, BillingClass.UNIT, BillingClass.TRAINING]


@pytest.mark.parametrize(("fault", "has_started"), list(itertools.product(FaultClass, [True, False])))
def test_every_end_has_one_rule(fault, has_started):
    assert [rule for rule in RULES if fault in rule.faults and rule.has_started == has_started] == [
        rule_of(fault, has_started=has_started)
    ]


@pytest.mark.parametrize("billing_class", RUNS)
@pytest.mark.parametrize("fault", [FaultClass.PLATFORM, FaultClass.HOST, FaultClass.POLICY])
def test_inv_14_our_faults_are_free(fault, billing_class):
    assert rule_of(fault, has_started=True).charge(billing_class) == Charge.NOTHING


@pytest.mark.parametrize("billing_class", RUNS)
@pytest.mark.parametrize("fault", FaultClass)
def test_inv_14_what_never_started_is_free(fault, billing_class):
    assert rule_of(fault, has_started=False).charge(billing_class) == Charge.NOTHING


@pytest.mark.parametrize("fault", [fault for fault in FaultClass if fault not in ("platform", "host", "policy")])
def test_all_else_is_charged_by_its_class(fault):
    charges = [rule_of(fault, has_started=True).charge(one) for one in RUNS]
    assert charges == [Charge.TIME, Charge.UNITS, Charge.TIME]


def test_each_verdict_is_one_word_and_a_success_has_none():
    words = [verdict_of(fault) for fault in FaultClass]
    assert sorted(filter(None, words)) == ["deadline", "host", "input", "model", "platform", "policy", "user"]
    assert verdict_of("none") is None

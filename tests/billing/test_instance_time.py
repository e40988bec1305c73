"""Instances that somebody pays for: their confirmed online time is charged, once, at the prices of its moments."""

import datetime

import pytest

from billing import instance_time, price_lists
from billing.instance_time import Beat, End, NewInstance
from billing.models import InstanceMeter, Price, QuarantinedUsage, UsageRecord
from billing.prices import price_at

NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
SECOND = 1_000_000


def at(seconds: float) -> datetime.datetime:
    return NOON + datetime.timedelta(seconds=seconds)


@pytest.fixture
def online(alice):
    """A dedicated instance that was set up within its first 10 seconds."""
    boot(alice)
    beat(10)
    instance_time.ready("i1")
    return "i1"


def boot(account, instance_id="i1", seconds=0.0):
    new = NewInstance(instance_id, account.pk, "alice/echo", "v", "cpu", "alice/prod")
    instance_time.start(new, now=at(seconds))


def beat(seconds, *, told=None, epoch="e1", instance_id="i1"):
    """A sign of life so many seconds after the start, by the database's clock; told: by the runner's."""
    total = round((seconds if told is None else told) * SECOND)
    instance_time.beat_many([Beat(instance_id, epoch, total)], now=at(seconds))


def beats(first, last, every=10):
    for seconds in range(first, last + 1, every):
        beat(seconds)


def stop(seconds, end=End.STOPPED, instance_id="i1"):
    instance_time.stop(instance_id, end, Beat(instance_id, "e1", round(seconds * SECOND)), now=at(seconds))


def charged():
    return list(UsageRecord.objects.order_by("id").values_list("key", "quantity", "amount_nanos"))


def seconds_charged():
    return sum(quantity for _, quantity, _ in charged()) / SECOND


def unbilled():
    return InstanceMeter.objects.get().unbilled_us / SECOND


def test_online_time_is_charged_in_segments_of_a_minute(online, alice):
    beats(20, 130)
    stop(135)
    assert charged() == [
        ("inst:i1:0", 60 * SECOND, 6_000_000),
        ("inst:i1:1", 60 * SECOND, 6_000_000),
        ("inst:i1:2", 15 * SECOND, 1_500_000),
    ]
    record = UsageRecord.objects.latest("id")
    assert (record.account_id, record.subject, record.billing_class) == (alice.pk, "instance/i1", "dedicated")
    assert (record.deployment_name, record.model_name, record.meter) == ("alice/prod", "alice/echo", "instance_time")


def test_inv_15_segments_do_not_overlap_and_are_what_was_confirmed(online):
    for seconds, told in [(15, 15.4), (20, 20.1), (31, 31.3), (75, 74.9), (90.5, 90.4)]:
        beat(seconds, told=told)
    stop(100)
    until = NOON
    for record in UsageRecord.objects.order_by("id"):
        end = record.occurred_at + datetime.timedelta(microseconds=1)
        assert end - datetime.timedelta(microseconds=record.quantity) >= until
        until = end
    assert until <= at(100)
    assert seconds_charged() == pytest.approx(100 - 44, abs=0.5)  # the 44 s without a sign of life are a gap


def test_a_stop_told_twice_charges_once(online):
    beats(20, 50)
    stop(55)
    stop(70)
    assert seconds_charged() == 55


def test_a_sign_of_life_whose_answer_was_lost_counts_once(online):
    beat(20)
    beat(22, told=20)
    beat(24)
    stop(24)
    assert seconds_charged() == 24


def test_a_new_runner_goes_on_where_the_old_one_died(online):
    beats(20, 70)
    beat(90, told=10, epoch="e2")  # took over at 80
    beat(100, told=20, epoch="e2")
    instance_time.stop("i1", End.STOPPED, Beat("i1", "e2", 25 * SECOND), now=at(105))
    assert [key for key, _, _ in charged()] == ["inst:i1:0", "inst:i1:1"]
    assert (seconds_charged(), unbilled()) == (95, 10)


def test_f10_the_wall_clock_of_a_runner_does_not_matter(online):
    """Its monotonic clock is all that it tells; one that runs away is held by the database's."""
    beat(20, told=3_620)
    beat(30, told=3_630)
    stop(40)
    assert seconds_charged() <= 40


def test_f19_segments_are_cut_where_a_price_and_a_month_starts(alice, monkeypatch):
    boot(alice)
    midnight = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)
    Price.objects.create(sku="cpu", rate_nanos=200_000, effective_from=midnight - datetime.timedelta(seconds=30))
    start = midnight - datetime.timedelta(seconds=45)
    InstanceMeter.objects.update(seen_at=start, segment_from=start, was_ready=True, epoch="e1")
    instance_time.beat_many([Beat("i1", "e1", 25 * SECOND)], now=start + datetime.timedelta(seconds=25))
    instance_time.beat_many([Beat("i1", "e1", 50 * SECOND)], now=start + datetime.timedelta(seconds=50))
    instance_time.stop("i1", End.STOPPED, now=start + datetime.timedelta(seconds=50))
    assert charged() == [
        ("inst:i1:0", 15 * SECOND, 1_500_000),
        ("inst:i1:1", 30 * SECOND, 6_000_000),
        ("inst:i1:2", 5 * SECOND, 1_000_000),
    ]
    assert list(UsageRecord.objects.order_by("id").values_list("period", flat=True)) == [
        "2026-11",
        "2026-11",
        "2026-12",
    ]


def test_a_contract_price_is_the_instances_price_too(online, alice, olga):
    Price.objects.create(sku="cpu", rate_nanos=50_000, account=alice, effective_from=at(-3600))
    stop(20)
    assert sum(amount for _, _, amount in charged()) == 20 * 50_000


def test_f20_a_gap_in_the_signs_of_life_is_not_charged(online):
    beats(20, 30)
    beat(330)
    beats(340, 360)
    stop(360)
    assert (seconds_charged(), unbilled()) == (60, 300)


def test_an_instance_that_was_lost_is_charged_to_its_last_sign_of_life(online):
    beats(20, 40)
    assert instance_time.close_silent(now=at(60)) == 0
    assert instance_time.close_silent(now=at(71)) == 1
    instance_time.stop("i1", End.LOST, now=at(400))
    assert charged() == [("inst:i1:0", 40 * SECOND, 4_000_000)]


def test_the_segment_that_an_instance_died_in_is_free(online):
    beats(20, 80)
    stop(85, End.BROKEN)
    assert (seconds_charged(), unbilled()) == (60, 25)


def test_f21_a_segment_of_the_same_number_with_other_times_is_quarantined(online, alice):
    stop(20)
    meter = InstanceMeter.objects.get()
    InstanceMeter.objects.update(ended_at=None, end="", segments=0)  # as if the writer had forgotten
    stop(35)
    assert charged() == [("inst:i1:0", 20 * SECOND, 2_000_000)]
    row = QuarantinedUsage.objects.get()
    assert (row.key, row.quantity, row.account_id) == ("inst:i1:0", 15 * SECOND, alice.pk)
    assert meter.segments == 1


def test_f22_a_crash_loop_is_charged_three_times_and_then_not_started(alice):
    for number in range(4):
        boot(alice, f"i{number}", seconds=number * 100)
        instance_time.beat_many([Beat(f"i{number}", "e", 20 * SECOND)], now=at(number * 100 + 20))
        assert instance_time.is_crash_looping("v", "cpu", "alice/prod", now=at(number * 100)) == (number >= 3)
        instance_time.stop(f"i{number}", End.SETUP_FAILED, now=at(number * 100 + 20))
    assert seconds_charged() == 3 * 20
    assert not instance_time.is_crash_looping("v", "cpu", "alice/prod", now=at(2 * 3600))
    assert not instance_time.is_crash_looping("v", "cpu", "", now=at(400))


def test_a_set_up_that_succeeds_ends_the_counting(alice):
    for number, end in enumerate([End.SETUP_FAILED, End.SETUP_FAILED, End.STOPPED, End.SETUP_FAILED]):
        boot(alice, f"i{number}", seconds=number)
        if end == End.STOPPED:
            instance_time.ready(f"i{number}")
        instance_time.stop(f"i{number}", end, now=at(number))
    assert not instance_time.is_crash_looping("v", "cpu", "alice/prod", now=at(10))


@pytest.mark.parametrize("end", [End.NEVER_STARTED, End.LOST, End.STOPPED, End.BROKEN])
def test_a_boot_that_did_not_end_by_the_models_own_fault_is_free(alice, end):
    boot(alice)
    beats(10, 80)
    stop(85, end)
    assert charged() == []
    assert unbilled() == 85


def test_the_boot_is_charged_once_the_set_up_has_succeeded(alice):
    boot(alice)
    beats(10, 80)
    assert charged() == []
    instance_time.ready("i1")
    assert charged() == [("inst:i1:0", 60 * SECOND, 6_000_000)]


def test_instances_without_a_meter_are_left_alone(db):
    beat(10, instance_id="unknown")
    instance_time.ready("unknown")
    stop(20, instance_id="unknown")
    assert charged() == []


def test_prices_of_hardware_are_what_segments_cost(online, olga):
    price_lists.set_hardware_price(
        olga.user,
        sku="cpu-small",
        rate_nanos=1,
        effective_from=datetime.datetime.now(datetime.UTC),
        reason="of other hardware",
    )
    stop(20)
    assert UsageRecord.objects.get().price == price_at("cpu", NOON)

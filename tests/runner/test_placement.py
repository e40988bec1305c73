"""Where an instance may go, and what makes room for it."""

from runner.placement import Place, Size, Tenant, find_place

HOST = Size(cpu_millis=2000, memory_bytes=100)
ONE = Size(cpu_millis=1000, memory_bytes=40)


def test_a_free_host_takes_it_without_evicting() -> None:
    assert find_place(HOST, [], ONE) == Place(evict=())


def test_the_least_recently_used_idle_instance_makes_room() -> None:
    tenants = [Tenant("new", ONE, idle_since=20.0), Tenant("old", ONE, idle_since=10.0)]
    assert find_place(HOST, tenants, ONE) == Place(evict=("old",))


def test_working_instances_are_never_evicted() -> None:
    tenants = [Tenant("a", ONE, idle_since=None), Tenant("b", ONE, idle_since=None)]
    assert find_place(HOST, tenants, ONE) is None


def test_as_many_are_evicted_as_it_takes() -> None:
    tenants = [Tenant("a", ONE, idle_since=1.0), Tenant("b", ONE, idle_since=2.0)]
    place = find_place(HOST, tenants, Size(cpu_millis=1500, memory_bytes=90))
    assert place == Place(evict=("a", "b"))


def test_a_host_without_gpus_never_holds_a_gpu_model() -> None:
    assert not HOST.holds(Size(cpu_millis=1, memory_bytes=1, gpus=1))

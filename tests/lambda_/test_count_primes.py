import pytest

from stacks.lambda_.handlers.count_primes import index


@pytest.mark.parametrize(
    ("below", "primes"), [(0, 0), (2, 0), (3, 1), (10, 4), (26, 9), (1_000, 168)]
)
def test_primes_below_a_number_are_counted(below: int, primes: int) -> None:
    assert index.handler({"below": below}, None)["primes"] == primes


def test_the_answer_tells_how_long_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))

    assert index.handler({"below": 10}, None)["seconds"] == 2.5

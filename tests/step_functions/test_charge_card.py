import pytest

from stacks.step_functions.handlers.charge_card import index


def charge(card: str) -> dict[str, object]:
    return index.handler({"order_id": "1", "total": 65, "card": card}, None)


def test_a_charge_has_the_same_receipt_however_often_it_is_tried() -> None:
    assert charge("good") == charge("good") == {"receipt": "receipt-1", "total": 65}


def test_the_two_test_cards_fail_in_the_two_ways_the_workflow_tells_apart() -> None:
    with pytest.raises(index.CardDeclinedError, match="declined"):
        charge("declined")
    with pytest.raises(index.ProviderUnavailableError, match="does not answer"):
        charge("unavailable")

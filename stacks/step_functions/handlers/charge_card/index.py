"""Stands in for a payment provider, test cards included. The class of an error is its name."""

from typing import Any


class CardDeclinedError(Exception):
    """Another try would end the same way."""


class ProviderUnavailableError(Exception):
    """Another try may succeed."""


def handler(charge: dict[str, Any], context: object) -> dict[str, Any]:
    match charge["card"]:
        case "declined":
            raise CardDeclinedError("the bank declined the card")
        case "unavailable":
            raise ProviderUnavailableError("the payment provider does not answer")
    # A workflow may try again what has already worked: the order's id tells one charge from two.
    return {"receipt": f"receipt-{charge['order_id']}", "total": charge["total"]}

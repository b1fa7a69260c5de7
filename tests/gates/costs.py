"""What a template costs per hour when nobody uses it."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jmespath
import yaml

from tests.gates.resources import Resource

PRICES = Path(__file__).parent / "prices.yaml"


class UnpricedError(LookupError):
    """The message says what has no price, and where to give it one."""


@functools.cache
def price_list() -> dict[str, Any]:
    """prices.yaml."""
    prices: dict[str, Any] = yaml.safe_load(PRICES.read_text())
    return prices


def hourly(resource: Resource) -> float:
    """What the resource costs, in USD per hour.

    Raises:
        UnpricedError: For a type, or a size of it, that prices.yaml does not know.
    """
    prices = price_list()
    charges = prices["prices"].get(resource.type, [])
    if not charges and resource.type not in prices["free_idle"]:
        raise UnpricedError(
            f"{resource}: unpriced; add its type to prices.yaml, with the source of its price or "
            "why it costs nothing when idle"
        )
    extra = prices["unpriced"].get(resource.type)
    if extra and jmespath.search(extra, resource.properties):
        raise UnpricedError(
            f"{resource}: unpriced '{extra}', which costs by the hour; add its price to "
            "prices.yaml, with the source"
        )
    return sum(_charge(resource, charge) for charge in charges)


def stack_costs(everything: Sequence[Resource]) -> dict[str, float]:
    """USD per hour by stack; what is unpriced counts nothing here."""
    costs = dict.fromkeys((resource.stack for resource in everything), 0.0)
    for resource in everything:
        try:
            costs[resource.stack] += hourly(resource)
        except UnpricedError:
            continue
    return costs


def unpriced(everything: Sequence[Resource]) -> Iterator[str]:
    """What has no price."""
    for resource in everything:
        try:
            hourly(resource)
        except UnpricedError as error:
            yield str(error)


def over_budget(costs: dict[str, float], profile: str) -> Iterator[str]:
    """Stacks that cost more than prices.yaml allows them."""
    budgets = price_list()["budgets"][profile]
    for stack, usd in costs.items():
        budget = budgets.get(stack, budgets["default"])
        if usd > budget:
            yield (
                f"{stack}: costs ${usd:.4f} per hour in {profile}, its budget is ${budget:.4f}; "
                "leave out what bills by the hour, or raise its budget in prices.yaml"
            )


def _charge(resource: Resource, charge: dict[str, Any]) -> float:
    quantity = jmespath.search(charge.get("quantity", "`1`"), resource.properties)
    usd = charge["usd"]
    if "by" in charge:
        kind = jmespath.search(charge["by"], resource.properties)
        if kind not in usd:
            raise UnpricedError(
                f"{resource}: unpriced {charge['what']} '{kind}'; prices.yaml has "
                + ", ".join(map(str, usd))
            )
        usd = usd[kind]
    hours = {"hour": 1, "month": price_list()["hours_per_month"]}[charge["per"]]
    return float(quantity * usd / hours)

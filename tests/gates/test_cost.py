"""What a stack costs while nobody uses it is known, small and written on its page."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pytest

from tests.assembly import Assembly
from tests.gates.costs import hourly, over_budget, price_list, stack_costs, unpriced
from tests.gates.findings import refuse
from tests.gates.folders import STACKS, folder_of
from tests.gates.resources import Resource, example, resources

LINE = re.compile(r"Idle: \$\S+ per hour in\s`sandbox`,\s\$\S+ in\s`production`")


def wrong_pages(
    pages: Mapping[str, str], sandbox: Mapping[str, float], production: Mapping[str, float]
) -> Iterator[str]:
    """Pages that do not say what their stack costs.

    Args:
        pages: README.md by stack.
        sandbox: USD per hour by stack.
        production: USD per hour by stack.
    """
    for stack, page in pages.items():
        line = (
            f"Idle: ${sandbox[stack]:.4f} per hour in `sandbox`, "
            f"${production[stack]:.4f} in `production`"
        )
        says = LINE.search(page)
        if not says or " ".join(says[0].split()) != line:
            yield (
                f"stacks/{folder_of(stack)}/README.md: says '{says[0] if says else 'nothing'}'; "
                f"write '{line}'"
            )


def test_everything_has_a_price(assembly: Assembly) -> None:
    refuse(unpriced(resources(assembly)))


def test_no_stack_costs_more_than_its_budget(sandbox: Assembly, production: Assembly) -> None:
    refuse(over_budget(stack_costs(resources(sandbox)), "sandbox"))
    refuse(over_budget(stack_costs(resources(production)), "production"))


def test_every_page_says_what_its_stack_costs(sandbox: Assembly, production: Assembly) -> None:
    pages = {
        stack: page.read_text() if page.exists() else ""
        for stack in sandbox.stacks
        for page in [STACKS / folder_of(stack) / "README.md"]
    }
    refuse(wrong_pages(pages, stack_costs(resources(sandbox)), stack_costs(resources(production))))


def test_every_price_says_where_it_is_from_and_when_it_was_read() -> None:
    assert price_list()["region"] == "us-east-1"
    for charges in price_list()["prices"].values():
        for charge in charges:
            assert charge["what"]
            assert charge["source"].startswith(("https://", "infracost, "))
            assert isinstance(charge["date"], date)
            assert charge["per"] in {"hour", "month"}


KEY = [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}]


def insights(key: list[dict[str, str]], mode: str | None) -> Resource:
    specification = {"Enabled": True, **({"Mode": mode} if mode else {})}
    return example(
        "AWS::DynamoDB::Table", KeySchema=key, ContributorInsightsSpecification=specification
    )


def service(capacity_provider: Any, address: str) -> Resource:
    return example(
        "AWS::ECS::Service",
        DesiredCount=2,
        CapacityProviderStrategy=[{"CapacityProvider": capacity_provider}],
        NetworkConfiguration={"AwsvpcConfiguration": {"AssignPublicIp": address}},
    )


def scaling(status: str) -> Resource:
    provider = {"ManagedScaling": {"Status": status}}
    return example("AWS::ECS::CapacityProvider", AutoScalingGroupProvider=provider)


@pytest.mark.parametrize(
    ("resource", "usd"),
    [
        (example("AWS::SQS::Queue"), 0),
        (example("AWS::EC2::NatGateway"), 0.045),
        (example("AWS::EC2::EIP"), 0.005),
        (example("AWS::EC2::VPCEndpoint", VpcEndpointType="Gateway"), 0),
        (
            example("AWS::EC2::VPCEndpoint", VpcEndpointType="Interface", SubnetIds=["a", "b"]),
            0.02,
        ),
        (example("AWS::CloudWatch::Alarm", MetricName="Errors", Period=60), 0.10 / 730),
        (example("AWS::CloudWatch::Alarm", MetricName="Errors", Period=10), 0.30 / 730),
        (
            example(
                "AWS::CloudWatch::Alarm",
                Metrics=[
                    {"Expression": "a / b"},
                    {"MetricStat": {"Stat": "Sum"}},
                    {"MetricStat": {"Stat": "Max"}},
                ],
            ),
            0.20 / 730,
        ),
        (example("AWS::DynamoDB::Table", BillingMode="PAY_PER_REQUEST"), 0),
        (
            example(
                "AWS::DynamoDB::Table",
                ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 2},
                GlobalSecondaryIndexes=[
                    {"ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}}
                ],
            ),
            4 * 0.00013 + 6 * 0.00065,
        ),
        (service("FARGATE_SPOT", "DISABLED"), 2 * 0.009986),
        (service("FARGATE", "ENABLED"), 2 * 0.014986),
        (service({"Ref": "Capacity"}, "DISABLED"), 0),
        (scaling("ENABLED"), 0.20 / 730),
        (scaling("DISABLED"), 0),
        (insights(KEY[:1], "THROTTLED_KEYS"), 0.50 / 730),
        (insights(KEY, "ACCESSED_AND_THROTTLED_KEYS"), 4 * 0.50 / 730),
        (insights(KEY, None), 4 * 0.50 / 730),
        (example("AWS::DynamoDB::GlobalTable", Replicas=[{"Region": "us-east-1"}]), 0),
        (
            example(
                "AWS::DynamoDB::GlobalTable",
                WriteProvisionedThroughputSettings={
                    "WriteCapacityAutoScalingSettings": {"MinCapacity": 2}
                },
                Replicas=[
                    {
                        "ReadProvisionedThroughputSettings": {"ReadCapacityUnits": 3},
                        "GlobalSecondaryIndexes": [
                            {
                                "ReadProvisionedThroughputSettings": {
                                    "ReadCapacityAutoScalingSettings": {"MinCapacity": 5}
                                }
                            }
                        ],
                    }
                ],
            ),
            8 * 0.00013 + 2 * 0.00065,
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Resource) else f"{value:.5f}",
)
def test_the_price_is_read_off_the_properties(resource: Resource, usd: float) -> None:
    assert hourly(resource) == pytest.approx(usd)


def test_a_type_without_a_price_is_found() -> None:
    assert list(unpriced([example("AWS::MSK::Cluster")])) == [
        "shop/Thing (AWS::MSK::Cluster): unpriced; add its type to prices.yaml, with the source of "
        "its price or why it costs nothing when idle"
    ]


def test_what_makes_a_type_cost_something_more_is_found() -> None:
    warm = example("AWS::Lambda::Alias", ProvisionedConcurrencyConfig={"Executions": 1})

    assert list(unpriced([warm])) == [
        "shop/Thing (AWS::Lambda::Alias): unpriced 'ProvisionedConcurrencyConfig', which costs by "
        "the hour; add its price to prices.yaml, with the source"
    ]


def test_a_size_without_a_price_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    charge = price_list()["prices"]["AWS::CloudWatch::Alarm"][0]
    monkeypatch.setitem(charge, "usd", {"high resolution": 0.30})

    assert list(unpriced([example("AWS::CloudWatch::Alarm", Period=60)])) == [
        "shop/Thing (AWS::CloudWatch::Alarm): unpriced metric an alarm watches 'standard "
        "resolution'; prices.yaml has high resolution"
    ]


def test_a_stack_above_its_budget_is_found() -> None:
    costs = stack_costs([example("AWS::EC2::NatGateway"), example("AWS::EC2::EIP")])

    assert list(over_budget(costs, "sandbox")) == [
        "shop: costs $0.0500 per hour in sandbox, its budget is $0.0020; leave out what bills by "
        "the hour, or raise its budget in prices.yaml"
    ]


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("", "nothing"),
        (
            "Idle: $0.0000 per hour in `sandbox`, $0.0001 in `production`: free.",
            "Idle: $0.0000 per hour in `sandbox`, $0.0001 in `production`",
        ),
    ],
)
def test_a_page_that_is_wrong_about_the_cost_is_told_what_to_write(page: str, says: str) -> None:
    assert list(wrong_pages({"step-functions": page}, *[{"step-functions": 0.0001}] * 2)) == [
        f"stacks/step_functions/README.md: says '{says}'; write "
        "'Idle: $0.0001 per hour in `sandbox`, $0.0001 in `production`'"
    ]


def test_a_page_may_break_the_line() -> None:
    page = "Idle: $0.0001 per hour in\n`sandbox`, $0.0000 in `production`."

    assert not list(wrong_pages({"sqs": page}, {"sqs": 0.0001}, {"sqs": 0.0}))

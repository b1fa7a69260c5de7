"""What must stay true of the step-functions blueprint; the snapshot shows what else changed."""

import json
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.assembly import Assembly, StackTemplate

State = dict[str, Any]


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["step-functions"].body == snapshot


@pytest.fixture
def stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["step-functions"]


def definition(stack: StackTemplate, machine: str) -> State:
    """A definition as Step Functions gets it, but for references: ``${LogicalId}`` each."""
    string = stack[machine]["DefinitionString"]
    if isinstance(string, dict):
        parts = string["Fn::Join"][1]
        string = "".join(part if isinstance(part, str) else reference(part) for part in parts)
    parsed: State = json.loads(string)
    return parsed


def reference(part: dict[str, Any]) -> str:
    [value] = part.values()
    return f"${{{value if isinstance(value, str) else '.'.join(value)}}}"


@pytest.fixture
def states(stack: StackTemplate) -> dict[str, State]:
    """The states of the workflow, without those inside of other states."""
    found: dict[str, State] = definition(stack, "Orders")["States"]
    return found


def leads_to(states: dict[str, State], start: str) -> set[str]:
    """The states that can follow ``start``, at once or later."""
    reached: set[str] = set()
    ahead = {start}
    while ahead:
        state = states[ahead.pop()]
        next_states = {
            transition[key]
            for transition in [state, *state.get("Choices", []), *state.get("Catch", [])]
            for key in ("Next", "Default")
            if key in transition
        }
        ahead |= next_states - reached
        reached |= next_states
    return reached


@pytest.mark.concept("step-functions.state-machine")
def test_a_standard_machine_leads_from_its_first_state_to_every_other(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    assert stack["Orders"]["StateMachineType"] == "STANDARD"
    start = definition(stack, "Orders")["StartAt"]

    assert leads_to(states, start) | {start} == states.keys()


@pytest.mark.concept("step-functions.state-machine")
def test_an_express_machine_beside_it_adds_up_the_price(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    assert stack["Pricing"]["StateMachineType"] == "EXPRESS"
    pricing = definition(stack, "Pricing")
    assert "quantity * unit_price" in pricing["States"][pricing["StartAt"]]["Output"]

    assert states["Price"]["Resource"].endswith(":states:::aws-sdk:sfn:startSyncExecution")
    arn = stack.ref("Pricing")
    assert states["Price"]["Parameters"]["StateMachineArn"] == reference(arn)
    assert stack.allowed("Orders/Role", arn) == {"states:StartSyncExecution"}


@pytest.mark.concept("step-functions.choice")
def test_a_free_order_ends_a_small_one_goes_on_and_any_other_asks(
    states: dict[str, State],
) -> None:
    assert states["HowMuch"] == {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.price.total", "NumericEquals": 0, "Next": "NothingToPay"},
            {
                "Variable": "$.price.total",
                "NumericLessThanEqualsPath": "$.terms.approval_limit",
                "Next": "Reconsider",
            },
        ],
        "Default": "AskForApproval",
    }


@pytest.mark.concept("step-functions.fail")
def test_what_goes_wrong_has_a_name_and_a_reason_once_the_items_are_released(
    states: dict[str, State],
) -> None:
    for name, error in (("Rejected", "OrderRejected"), ("Unanswered", "ApprovalTimedOut")):
        assert states[name]["Type"] == "Fail"
        assert states[name]["Error"] == error
        assert states[name]["Cause"].endswith("free again.")
        assert name in leads_to(states, "ReleaseItems")
    assert states["Failed"]["ErrorPath"] == "$.failure.Error"

    release = states["ReleaseItems"]["ItemProcessor"]["States"]["ReleaseItem"]
    assert release["Resource"].endswith(":dynamodb:deleteItem")
    assert release["Retry"], "the workflow must not give up on its compensation at once"


@pytest.mark.concept("step-functions.succeed")
def test_an_order_can_succeed_early(states: dict[str, State]) -> None:
    assert states["NothingToPay"] == {"Type": "Succeed"}
    assert "NothingToPay" in leads_to(states, "HowMuch")


@pytest.mark.concept("step-functions.pass")
def test_the_terms_are_fixed_and_put_beside_the_order(states: dict[str, State]) -> None:
    terms = states["Terms"]

    assert terms["Type"] == "Pass"
    assert terms["Result"] == {"currency": "USD", "approval_limit": 100}
    assert terms["ResultPath"] == "$.terms"


@pytest.mark.concept("step-functions.wait")
@pytest.mark.parametrize(("profile", "seconds"), [("sandbox", 1), ("production", 15 * 60)])
def test_a_customer_may_change_their_mind_for_a_second_or_for_real(
    request: pytest.FixtureRequest, profile: str, seconds: int
) -> None:
    assembly: Assembly = request.getfixturevalue(profile)
    wait = definition(assembly.stacks["step-functions"], "Orders")["States"]["Reconsider"]

    assert (wait["Type"], wait["Seconds"]) == ("Wait", seconds)


@pytest.mark.concept("step-functions.map")
def test_items_are_reserved_two_at_a_time_in_the_table(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    reserve = states["ReserveItems"]
    assert (reserve["Type"], reserve["ItemsPath"]) == ("Map", "$.items")
    assert reserve["MaxConcurrency"] == 2

    task = reserve["ItemProcessor"]["States"]["ReserveItem"]
    assert task["Resource"].endswith(":dynamodb:putItem")
    assert task["Parameters"]["TableName"] == reference(stack.ref("Reservations"))


@pytest.mark.concept("step-functions.parallel")
def test_the_card_is_charged_while_the_items_are_packed(states: dict[str, State]) -> None:
    settle = states["Settle"]

    assert settle["Type"] == "Parallel"
    assert [branch["StartAt"] for branch in settle["Branches"]] == ["ChargeCard", "Pack"]


@pytest.mark.concept("step-functions.parallel", "step-functions.human-approval")
@pytest.mark.parametrize("step", ["ReserveItems", "AskForApproval", "Settle"])
def test_whatever_fails_after_a_reservation_is_compensated(
    states: dict[str, State], step: str
) -> None:
    assert states[step]["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "ReleaseItems"}
    ]


def test_a_payment_is_tried_three_times_unless_the_card_was_declined(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    charge = states["Settle"]["Branches"][0]["States"]["ChargeCard"]

    assert charge["Parameters"]["FunctionName"] == reference(stack.att("ChargeCard"))
    first, second = charge["Retry"]
    assert (first["ErrorEquals"], first["MaxAttempts"]) == (["CardDeclinedError"], 0)
    assert (second["ErrorEquals"], second["MaxAttempts"]) == (["States.TaskFailed"], 2)


@pytest.mark.concept("step-functions.task-token")
def test_a_large_order_sends_its_token_to_the_queue_and_waits_so_long_and_no_longer(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    ask = states["AskForApproval"]
    assert ask["Resource"].endswith(":states:::sqs:sendMessage.waitForTaskToken")
    assert ask["Parameters"]["QueueUrl"] == reference(stack.ref("Approvals"))
    assert ask["Parameters"]["MessageBody"]["task_token.$"] == "$$.Task.Token"
    assert ask["TimeoutSeconds"] == 60

    assert stack["Approvals"]["MessageRetentionPeriod"] == ask["TimeoutSeconds"]
    assert stack.allowed("Orders/Role", stack.att("Approvals")) == {"sqs:SendMessage"}


@pytest.mark.concept("step-functions.human-approval")
@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_a_link_without_a_token_ends_at_the_api(stack: StackTemplate, answer: str) -> None:
    method = stack[f"Links/Api/{answer}/GET"]
    assert method["HttpMethod"] == "GET"
    assert method["Integration"]["Type"] == "AWS_PROXY"
    assert stack.att("Links/Answer") in method["Integration"]["Uri"]["Fn::Join"][1]

    assert method["RequestParameters"] == {"method.request.querystring.token": True}
    assert method["RequestValidatorId"] == stack.ref("Links/Api/Token")
    assert stack["Links/Api/Token"]["ValidateRequestParameters"] is True


@pytest.mark.concept("step-functions.human-approval")
def test_the_links_lead_to_that_api_whose_function_may_only_answer_this_workflow(
    stack: StackTemplate, states: dict[str, State]
) -> None:
    message = states["AskForApproval"]["Parameters"]["MessageBody"]
    api = f"https://{reference(stack.ref('Links/Api'))}.execute-api."
    stage = stack["Links/Api/DeploymentStage.prod"]
    for answer in ("approve", "reject"):
        assert message[answer].startswith(api)
        assert message[answer].endswith(f"/{stage['StageName']}/{answer}?token=")
        stack[f"Links/Api/{answer}"]

    about_workflows = [
        statement
        for statement in stack.statements("Links/AnswerRole")
        if any(action.startswith("states:") for action in statement["Action"])
    ]
    assert about_workflows == [
        {
            "Action": ["states:SendTaskFailure", "states:SendTaskSuccess"],
            "Effect": "Allow",
            "Resource": stack.ref("Orders"),
        }
    ]


def test_calls_of_the_links_are_throttled(stack: StackTemplate) -> None:
    [setting] = stack["Links/Api/DeploymentStage.prod"]["MethodSettings"]

    assert (setting["HttpMethod"], setting["ResourcePath"]) == ("*", "/*")
    assert setting["ThrottlingRateLimit"] <= 10


@pytest.mark.parametrize("machine", ["Orders", "Pricing"])
def test_executions_are_logged_without_the_tokens_in_their_data(
    stack: StackTemplate, machine: str
) -> None:
    logging = stack[machine]["LoggingConfiguration"]

    assert (logging["Level"], logging["IncludeExecutionData"]) == ("ALL", False)
    [destination] = logging["Destinations"]
    assert destination["CloudWatchLogsLogGroup"]["LogGroupArn"] == stack.att("Executions")
    assert stack["Executions"]["LogGroupName"].startswith("/aws/vendedlogs/states/")


def test_production_keeps_and_protects_what_is_reserved(
    stack: StackTemplate, production: Assembly
) -> None:
    def kept(stack: StackTemplate) -> tuple[str, bool]:
        table = stack.body["Resources"][stack.logical_id("Reservations")]
        [replica] = table["Properties"]["Replicas"]
        return table["DeletionPolicy"], replica["DeletionProtectionEnabled"]

    assert kept(stack) == ("Delete", False)
    assert kept(production.stacks["step-functions"]) == ("Retain", True)

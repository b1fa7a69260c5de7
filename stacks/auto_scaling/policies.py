"""What changes the size of a group: a target, two alarms, a forecast and the calendar."""

import aws_cdk as cdk
import jsii
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from constructs import Construct

CPU_PERCENT = 40
# Of each server, in a minute.
MANY_REQUESTS = 1000
SLOW = cdk.Duration.seconds(1)


def track_cpu(group: autoscaling.AutoScalingGroup) -> None:
    """Add and remove servers to keep their average near a value, by alarms that AWS makes."""
    group.scale_on_cpu_utilization("Cpu", target_utilization_percent=CPU_PERCENT)


def add_in_steps(
    group: autoscaling.AutoScalingGroup, targets: elbv2.ApplicationTargetGroup
) -> cloudwatch.Alarm:
    """Add a server when requests are many, and two when they are twice as many.

    ``group.scale_on_metric`` would do so, if it did not use what the CDK itself has deprecated.
    """
    policy = autoscaling.StepScalingAction(
        group,
        "ByRequests",
        auto_scaling_group=group,
        adjustment_type=autoscaling.AdjustmentType.CHANGE_IN_CAPACITY,
    )
    # Bounds count from the alarm's threshold.
    policy.add_adjustment(adjustment=1, lower_bound=0, upper_bound=MANY_REQUESTS)
    policy.add_adjustment(adjustment=2, lower_bound=MANY_REQUESTS)
    alarm = cloudwatch.Alarm(
        group,
        "ManyRequests",
        alarm_description="Each server gets more requests than it should.",
        metric=targets.metrics.request_count_per_target(period=cdk.Duration.minutes(1)),
        threshold=MANY_REQUESTS,
        evaluation_periods=1,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(actions.AutoScalingAction(policy))
    return alarm


def add_simply(
    group: autoscaling.AutoScalingGroup, targets: elbv2.ApplicationTargetGroup
) -> autoscaling.CfnScalingPolicy:
    """Add a server when answers are slow, then heed no alarm until it has cooled down."""
    policy = autoscaling.CfnScalingPolicy(
        group,
        "ByLatency",
        auto_scaling_group_name=group.auto_scaling_group_name,
        policy_type="SimpleScaling",
        adjustment_type="ChangeInCapacity",
        scaling_adjustment=1,
        cooldown=str(cdk.Duration.minutes(5).to_seconds()),
    )
    alarm = cloudwatch.Alarm(
        group,
        "SlowAnswers",
        alarm_description="Servers take longer to answer than they should.",
        metric=targets.metrics.target_response_time(period=cdk.Duration.minutes(1)),
        threshold=SLOW.to_seconds(),
        evaluation_periods=3,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    alarm.add_alarm_action(_Execute(policy))
    return policy


def forecast(group: autoscaling.AutoScalingGroup) -> autoscaling.CfnScalingPolicy:
    """Forecast how many servers it takes, from a day of statistics on; ForecastAndScale acts."""
    kind = autoscaling.CfnScalingPolicy
    metric = kind.PredictiveScalingMetricSpecificationProperty(
        target_value=CPU_PERCENT,
        predefined_metric_pair_specification=kind.PredictiveScalingPredefinedMetricPairProperty(
            predefined_metric_type="ASGCPUUtilization"
        ),
    )
    return kind(
        group,
        "ByForecast",
        auto_scaling_group_name=group.auto_scaling_group_name,
        policy_type="PredictiveScaling",
        predictive_scaling_configuration=kind.PredictiveScalingConfigurationProperty(
            mode="ForecastOnly", metric_specifications=[metric]
        ),
    )


def prepare_for_friday(
    group: autoscaling.AutoScalingGroup, *, busy: int, usual: int, time_zone: str
) -> None:
    """Raise the minimum for the evening, and lower it after the night.

    Args:
        group: Its maximum has to be as high as ``busy``.
        busy: The minimum from Friday, 17:00.
        usual: The minimum from Saturday, 5:00.
        time_zone: Whose hours these are, summer time included: a name of IANA's, Europe/Berlin.
    """
    for name, week_day, hour, minimum in (
        ("FridayEvening", "FRI", "17", busy),
        ("SaturdayMorning", "SAT", "5", usual),
    ):
        group.scale_on_schedule(
            name,
            schedule=autoscaling.Schedule.cron(week_day=week_day, hour=hour, minute="0"),
            time_zone=time_zone,
            min_capacity=minimum,
        )


@jsii.implements(cloudwatch.IAlarmAction)
class _Execute:
    """Executes a policy for which the CDK has no L2."""

    def __init__(self, policy: autoscaling.CfnScalingPolicy) -> None:
        self._policy = policy

    def bind(self, scope: Construct, alarm: cloudwatch.IAlarm) -> cloudwatch.AlarmActionConfig:
        """Name the policy, by which CloudWatch knows what to do."""
        return cloudwatch.AlarmActionConfig(alarm_action_arn=self._policy.ref)

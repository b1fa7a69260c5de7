"""What the CDK CLI itself puts into an account, before anybody's stack."""

from pathlib import Path

from tests.rehearsal.extension.conftest import ROOT, Client, Stack

TEMPLATE = Path(ROOT, "node_modules/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml")


def test_the_bootstrap_stack_deploys_and_its_bucket_takes_assets(client: Client) -> None:
    cloudformation, s3 = client("cloudformation"), client("s3")
    stack = Stack(cloudformation, "CDKToolkit")
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    assert stack.status == "CREATE_COMPLETE", stack.reasons
    outputs = stack.outputs
    s3.put_object(Bucket=outputs["BucketName"], Key="asset.zip", Body=b"code")
    (rule, *_) = s3.get_bucket_lifecycle_configuration(Bucket=outputs["BucketName"])["Rules"]
    assert rule["Status"] == "Enabled"

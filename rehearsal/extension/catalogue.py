"""Which resource types there are, and how honest each of them is."""

from typing import Literal

from rehearsal.extension import (
    auto_scaling,
    block_devices,
    cloudfront,
    cloudwatch,
    clusters,
    databases,
    default_groups,
    dns,
    dynamodb,
    ecs,
    eks,
    elasticache,
    endpoints,
    iam,
    images,
    instances,
    load_balancers,
    ministack,
    network,
    network_acls,
    s3,
    schemas,
    serverless,
    volumes,
)
from rehearsal.extension.completions import Completion, completed
from rehearsal.extension.recorded import Recorded
from rehearsal.extension.resource_type import ResourceType, handler

Tier = Literal["emulated", "recorded"]

EMULATED: dict[str, ResourceType] = {
    **network.EMULATED,
    **network_acls.EMULATED,
    **instances.EMULATED,
    **volumes.EMULATED,
    **dynamodb.EMULATED,
    **ecs.EMULATED,
    **eks.EMULATED,
    **serverless.EMULATED,
    **dns.EMULATED,
    **iam.EMULATED,
    **cloudwatch.EMULATED,
    **cloudfront.EMULATED,
    **clusters.EMULATED,
    **databases.EMULATED,
}

COMPLETIONS: dict[str, Completion] = {
    **auto_scaling.COMPLETIONS,
    **default_groups.COMPLETIONS,
    **elasticache.COMPLETIONS,
    **network_acls.COMPLETIONS,
    **endpoints.COMPLETIONS,
    **load_balancers.COMPLETIONS,
    **s3.COMPLETIONS,
    **serverless.COMPLETIONS,
}


def install() -> dict[str, Tier]:
    """Teach MiniStack's CloudFormation every resource type that AWS's knows; once per process.

    Returns:
        The tier of every type. One that is in neither is unknown to CloudFormation, or a custom
        resource, which runs as the function that backs it.
    """
    own = set(ministack.handlers())
    recorded = schemas.resource_types() - own - EMULATED.keys()
    added: dict[str, ResourceType] = {**EMULATED, **{name: Recorded(name) for name in recorded}}
    for name, resource_type in added.items():
        ministack.handlers()[name] = handler(name, resource_type)
        ministack.replace_on_change(name, schemas.CreateOnly(name))
    for name in (*EMULATED, "AWS::S3::Bucket"):
        if "Tags" in schemas.schema_of(name).properties:
            ministack.merge_stack_tags(name, "Tags")
    for name in own - EMULATED.keys():
        native = ministack.handlers()[name]
        ministack.handlers()[name] = completed(name, native, COMPLETIONS.get(name))
    block_devices.install()
    dns.install()
    ministack.sign_for_function_urls()
    ministack.give_function_urls_cookies()
    ministack.public_images().update(images.PUBLIC_PARAMETERS)
    ministack.run_caches(elasticache.Caches())
    ministack.run_on_worker_threads(added.keys() | COMPLETIONS.keys())
    return {
        **dict.fromkeys(sorted(own | EMULATED.keys()), "emulated"),
        **dict.fromkeys(sorted(recorded), "recorded"),
    }

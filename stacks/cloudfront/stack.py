"""CloudFront: one address for a private bucket and an HTTP server, and who may see what."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge
from stacks.cloudfront.edge import EdgeStack
from stacks.cloudfront.keys import NOBODYS_KEY, fingerprint, refuse_key

HERE = Path(__file__).parent


class CloudfrontStack(cdk.Stack):
    """A private bucket and an HTTP server behind one CDN: cache keys, signatures, code at the edge.

    A request passes ``DirectoryIndex``, a function at the edge, and the cache. What the cache does
    not have comes from the bucket ``Site``, or, below ``/catalog/`` and ``/api/``, from the
    function ``Catalog``; both answer to this distribution only. Whoever asks for something below
    ``/private/`` needs a URL or cookies that are signed with a key of the group ``Readers``.

    CloudFormation deletes an empty bucket only: who puts objects into ``Site`` has to delete them.

    Args:
        removal_policy: Of the buckets.
        access_logs: For how long the log of every request is kept, in days; None: not logged.
            CloudFront and S3 deliver it within hours, so that its bucket does not stay empty.
        log_retention: Of the functions' logs.
        public_key: What signatures are checked with: RSA 2048 or ECDSA P-256, in PEM. Until you
            give one there is nobody who could sign. ``InvalidArgumentError`` for anything else.
        negotiate_language: Have Lambda@Edge choose the page in the reader's language, by a second
            stack in us-east-1 named ``<this>-edge``. Off, because AWS takes hours to delete such a
            function.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: cdk.RemovalPolicy,
        access_logs: cdk.Duration | None,
        log_retention: logs.RetentionDays,
        public_key: str = NOBODYS_KEY,
        negotiate_language: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        refuse_key(public_key)

        directory_index = cloudfront.Function(
            self,
            "DirectoryIndex",
            function_name=self._name("DirectoryIndex"),
            comment="What names a directory gets that directory's page",
            runtime=cloudfront.FunctionRuntime.JS_2_0,
            code=cloudfront.FunctionCode.from_file(
                file_path=str(HERE / "functions" / "directory_index.js")
            ),
        )
        # CloudFront forwards to the origin what is in the key, and nothing else: an answer that
        # depends on more would be given to the wrong reader.
        variants = cloudfront.CachePolicy(
            self,
            "Variants",
            cache_policy_name=self._name("Variants"),
            header_behavior=cloudfront.CacheHeaderBehavior.allow_list("Accept-Language"),
            cookie_behavior=cloudfront.CacheCookieBehavior.allow_list("currency"),
            query_string_behavior=cloudfront.CacheQueryStringBehavior.allow_list("size"),
        )
        readers = self._readers(public_key)

        log_bucket = self._log_bucket(access_logs, removal_policy) if access_logs else None
        site = s3.Bucket(
            self,
            "Site",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=removal_policy,
            server_access_logs_bucket=log_bucket,
            server_access_logs_prefix="site/" if log_bucket else None,
        )
        catalog = PythonFunction(
            self,
            "Catalog",
            source=HERE / "handlers" / "catalog",
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
        )
        catalog_url = catalog.add_function_url(auth_type=lambda_.FunctionUrlAuthType.AWS_IAM)

        # Both kinds of origin access control sign what CloudFront asks for, and so let in nobody
        # but this distribution.
        bucket_origin = origins.S3BucketOrigin.with_origin_access_control(
            site,
            origin_access_control=cloudfront.S3OriginAccessControl(
                self, "SiteAccess", origin_access_control_name=self._name("Site")
            ),
        )
        http_origin = origins.FunctionUrlOrigin.with_origin_access_control(
            catalog_url,
            origin_access_control=cloudfront.FunctionUrlOriginAccessControl(
                self, "CatalogAccess", origin_access_control_name=self._name("Catalog")
            ),
        )
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            # North America and Europe, the cheapest.
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            default_behavior=cloudfront.BehaviorOptions(
                origin=bucket_origin,
                cache_policy=variants
                if negotiate_language
                else cloudfront.CachePolicy.CACHING_OPTIMIZED,
                function_associations=[
                    cloudfront.FunctionAssociation(
                        function=directory_index,
                        event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
                    )
                ],
                edge_lambdas=[self._language_negotiation(scope, log_retention)]
                if negotiate_language
                else None,
            ),
            additional_behaviors={
                "/private/*": cloudfront.BehaviorOptions(
                    origin=bucket_origin, trusted_key_groups=[readers]
                ),
                "/catalog/*": cloudfront.BehaviorOptions(origin=http_origin, cache_policy=variants),
                "/api/*": cloudfront.BehaviorOptions(
                    origin=http_origin, cache_policy=cloudfront.CachePolicy.CACHING_DISABLED
                ),
            },
            enable_logging=log_bucket is not None,
            log_bucket=log_bucket,
            log_file_prefix="distribution/" if log_bucket else None,
        )
        acknowledge(
            distribution,
            "AwsSolutions::AwsSolutions-CFR1",
            reason="The site is for readers everywhere.",
        )
        acknowledge(
            distribution,
            "AwsSolutions::AwsSolutions-CFR2",
            reason="A web ACL bills by the month; there is nothing here that it could protect.",
        )
        acknowledge(
            distribution,
            "AwsSolutions::AwsSolutions-CFR4",
            reason="Under cloudfront.net, CloudFront decides which TLS versions there are.",
        )
        if not log_bucket:
            for construct, rule in ((site, "S1"), (distribution, "CFR3")):
                acknowledge(
                    construct,
                    f"AwsSolutions::AwsSolutions-{rule}",
                    reason="Logs would arrive after the last request, and keep the stack from "
                    "being destroyed; the production profile has them.",
                )

        cdk.CfnOutput(self, "DomainName", value=distribution.domain_name)
        cdk.CfnOutput(self, "SiteName", value=site.bucket_name)
        cdk.CfnOutput(self, "CatalogUrl", value=catalog_url.url)
        cdk.CfnOutput(self, "ReadersId", value=readers.key_group_id)
        cdk.CfnOutput(self, "NegotiateLanguage", value=str(negotiate_language).lower())

    def _name(self, name: str) -> str:
        """A name that no other stack gives, in any region: CloudFront knows none.

        The longest region's, 14 characters, leave room for 64 in all, which functions may have.
        """
        stack = cdk.Names.unique_resource_name(self, max_length=30, allowed_special_characters="-")
        return f"{stack}-{name}-{self.region}"

    def _readers(self, public_key: str) -> cloudfront.KeyGroup:
        # CloudFront does not change a key. Another one gets another construct, and then the first
        # one goes.
        name = f"Reader{fingerprint(public_key)}"
        reader = cloudfront.PublicKey(
            self, name, public_key_name=self._name(name), encoded_key=public_key
        )
        resource = reader.node.default_child
        assert isinstance(resource, cloudfront.CfnPublicKey)
        # By which CloudFront tells requests apart; the CDK's is the same in every region.
        resource.add_property_override("PublicKeyConfig.CallerReference", self._name(name))
        return cloudfront.KeyGroup(
            self, "Readers", key_group_name=self._name("Readers"), items=[reader]
        )

    def _log_bucket(self, expiration: cdk.Duration, removal_policy: cdk.RemovalPolicy) -> s3.Bucket:
        return s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # CloudFront's standard logging lets itself in by an ACL:
            # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/AccessLogs.html
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[s3.LifecycleRule(expiration=expiration)],
            removal_policy=removal_policy,
        )

    def _language_negotiation(
        self, scope: Construct, log_retention: logs.RetentionDays
    ) -> cloudfront.EdgeLambda:
        edge = EdgeStack(
            scope,
            f"{self.node.id}-edge",
            stack_name=f"{self.stack_name}-edge",
            log_retention=log_retention,
        )
        self.add_stack_dependency(edge)
        return cloudfront.EdgeLambda(
            event_type=cloudfront.LambdaEdgeEventType.ORIGIN_REQUEST,
            function_version=lambda_.Version.from_version_arn(
                self, "NegotiateLanguageVersion", edge.version_arn
            ),
        )

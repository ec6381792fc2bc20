"""What Spark needs beside Delta to reach an object store: the JARs of each scheme, and what they are set to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlparse

HADOOP_VERSION = "3.5.0"  # of the wheel of PySpark 4.2.0
_SDK = "2.35.4"  # what that Hadoop was built with
# S3A needs five modules of the AWS SDK with what they bring, 11 MB; its POM names a bundle of all of AWS, 600 MB.
_SDK_MODULES = ("s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client")
_SDK_JARS = (
    *("annotations", "apache-client", "arns", "auth", "aws-core", "aws-query-protocol", "aws-xml-protocol", "checksums"),
    *("checksums-spi", "crt-core", "endpoints-spi", "http-auth", "http-auth-aws", "http-auth-aws-eventstream", "http-auth-spi"),
    *("http-client-spi", "identity-spi", "json-utils", "metrics-spi", "netty-nio-client", "profiles", "protocol-core"),
    *("regions", "retries", "retries-spi", "s3", "s3-transfer-manager", "sdk-core", "sts", "third-party-jackson-core"),
    *("utils", "utils-lite"),
)


@dataclass(frozen=True)
class Connector:
    """What is fetched, what of it is not, the files that come of it as Ivy names them, and what Spark is set to."""

    packages: tuple[str, ...]
    excludes: tuple[str, ...]
    jars: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)


S3 = Connector(
    (f"org.apache.hadoop:hadoop-aws:{HADOOP_VERSION}", *(f"software.amazon.awssdk:{name}:{_SDK}" for name in _SDK_MODULES)),
    # Spark has an HTTP client, its codecs and Netty of its own; wildfly is OpenSSL, which nothing asks for.
    ("software.amazon.awssdk:bundle", "org.wildfly.openssl:*", "io.netty:*", "org.apache.httpcomponents:*", "commons-codec:*"),
    (
        f"org.apache.hadoop_hadoop-aws-{HADOOP_VERSION}.jar",
        *(f"software.amazon.awssdk_{name}-{_SDK}.jar" for name in _SDK_JARS),
        "software.amazon.eventstream_eventstream-1.0.1.jar",
        "software.amazon.s3.analyticsaccelerator_analyticsaccelerator-s3-1.3.1.jar",
        "org.reactivestreams_reactive-streams-1.0.4.jar",
    ),
    {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"},  # Hadoop itself knows no s3:
)
_OF_SPARK = ("org.apache.hadoop:hadoop-client*", "org.apache.hadoop:hadoop-common", "org.apache.hadoop:hadoop-mapreduce*")
AZURE = Connector(
    (f"org.apache.hadoop:hadoop-azure:{HADOOP_VERSION}",),
    (*_OF_SPARK, "org.apache.httpcomponents:*", "commons-codec:*", "org.wildfly.openssl:*"),
    (
        f"org.apache.hadoop_hadoop-azure-{HADOOP_VERSION}.jar",
        "com.microsoft.azure_azure-keyvault-core-1.0.0.jar",
        "com.microsoft.azure_azure-storage-7.0.1.jar",
        "org.apache.hadoop.thirdparty_hadoop-shaded-guava-1.5.0.jar",
        "org.hdrhistogram_HdrHistogram-2.1.12.jar",
    ),
)
GOOGLE = Connector(
    (f"org.apache.hadoop:hadoop-gcp:{HADOOP_VERSION}",),
    _OF_SPARK,
    (f"org.apache.hadoop_hadoop-gcp-{HADOOP_VERSION}.jar",),
    {"spark.hadoop.fs.gs.impl": "org.apache.hadoop.fs.gs.GoogleHadoopFileSystem"},
)
CONNECTORS = {"s3": S3, "s3a": S3, "abfss": AZURE, "gs": GOOGLE}


def find_connectors(places: Iterable[str]) -> list[Connector]:
    """Return the connectors that some paths and URIs need."""
    found = {id(one): one for place in places if (one := CONNECTORS.get(urlparse(place).scheme))}
    return list(found.values())

"""Which jars make a ZooKeeper server of a given version, as a Maven project."""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape

from local.node.errors import CannotStart

_JETTY = "9.4.58.v20250814"
_COMMON = (
    ("org.eclipse.jetty", "jetty-server", _JETTY),
    ("org.eclipse.jetty", "jetty-servlet", _JETTY),
    ("io.dropwizard.metrics", "metrics-core", "4.1.12.1"),
    ("org.xerial.snappy", "snappy-java", "1.1.10.5"),
    ("com.fasterxml.jackson.core", "jackson-databind", "2.15.2"),
    ("commons-cli", "commons-cli", "1.5.0"),
    ("jline", "jline", "2.14.6"),
)
# ZooKeeper moved from log4j 1 to logback with 3.8; each release has its own slf4j generation.
_LOGGING = {
    (3, 6): ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    (3, 7): ("org.slf4j", "slf4j-reload4j", "1.7.36"),
    (3, 8): ("ch.qos.logback", "logback-classic", "1.2.13"),
    (3, 9): ("ch.qos.logback", "logback-classic", "1.3.15"),
}
# Not every release has its Prometheus provider on Maven Central. These were run for real with the
# servers of their line, 3.8.3's also with a 3.7.0 server: the interface between them is the same.
_METRICS = {(3, 6): "3.6.3", (3, 7): "3.8.3", (3, 8): "3.8.3", (3, 9): "3.9.4"}
_UNWANTED = "netty-tcnative-boringssl-static,audience-annotations,slf4j-log4j12,log4j"


@dataclass(frozen=True, slots=True)
class JarList:
    """One version's project: `metrics` is the version of the Prometheus provider, if any."""

    version: str
    metrics: str | None

    def pom(self) -> str:
        """The project file for Maven."""
        return _POM.format(dependencies="\n".join(_dependency(*entry) for entry in self._all()))

    def command(self, folder: str) -> list[str]:
        """The Maven call that puts all jars into `folder`."""
        return [
            "mvn",
            *("-q", "-B", "dependency:copy-dependencies"),
            f"-DoutputDirectory={folder}",
            f"-DexcludeArtifactIds={_UNWANTED}",
        ]

    def _all(self) -> list[tuple[str, str, str]]:
        major, minor, _ = (int(part) for part in self.version.split("."))
        logging = _LOGGING.get((major, minor), _LOGGING[3, 9])
        zookeeper = "org.apache.zookeeper"
        wanted = [(zookeeper, "zookeeper", self.version), *_COMMON, logging]
        if self.metrics:
            wanted.append((zookeeper, "zookeeper-prometheus-metrics", self.metrics))
        return wanted


def candidates(version: str) -> list[JarList]:
    """The lists to try in turn: the Prometheus provider of this version, one that fits, or none."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise CannotStart("ErrImagePull", f"{version!r} is not a ZooKeeper version such as 3.9.5")
    major, minor, _ = (int(part) for part in parts)
    if (major, minor) < (3, 6):
        raise CannotStart("ErrImagePull", f"ZooKeeper {version} is too old: 3.6 and later are had")
    fitting = _METRICS.get((major, minor), _METRICS[3, 9])
    return [JarList(version, metrics) for metrics in dict.fromkeys((version, fitting, None))]


def _dependency(group: str, artifact: str, version: str) -> str:
    return (
        f"<dependency><groupId>{escape(group)}</groupId>"
        f"<artifactId>{escape(artifact)}</artifactId><version>{escape(version)}</version>"
        "</dependency>"
    )


_POM = """<project>
<modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>zookeeper-image</artifactId><version>1</version>
<dependencies>
{dependencies}
</dependencies>
</project>
"""

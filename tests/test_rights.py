"""The rights that docs/settings.md lists are enough for each command, and a right that is missing is named."""

import re
import uuid
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from agentlog import AgentTracer
from agentlog.errors import KafkaRefused
from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.running import CompletedRun, RunningTool, run
from tests.tracing import get_error

PASSWORD = "only-for-this-run"
SETTINGS_PAGE = Path(__file__).parent.parent / "docs" / "settings.md"


class Row(NamedTuple):
    """A row of the table: the rights of some commands in one place."""

    commands: tuple[str, ...]
    place: str
    topic_rights: tuple[str, ...]
    groups: str


def read_table() -> list[Row]:
    """Return the table of rights in docs/settings.md."""
    section = SETTINGS_PAGE.read_text().partition("## Rights\n")[2].partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.split("|")[1:5]] for line in section.splitlines() if line.startswith("| `")]
    return [
        Row(tuple(re.findall("`(.*?)`", commands)), place, tuple(rights.split(", ")), groups)
        for commands, place, rights, groups in lines
    ]


ROWS = {(command, row.place): row for row in read_table() for command in row.commands}
HERE, SOURCE, TARGET = "its cluster", "the source", "the target"


class User(NamedTuple):
    """A user with the rights of a row, and the folder whose agentlog.toml names `user` and `open`."""

    name: str
    folder: Path
    properties: Mapping[str, str]

    def run(self, command: str, *arguments: str) -> CompletedRun:
        """Run a command, named as in the table."""
        tool, name = command.split(" ")
        return run(tool, name, *arguments, cwd=self.folder)


class Office:
    """Makes users of the secure cluster, each with the rights that it is given."""

    def __init__(self, secure: KafkaCluster, open_bootstrap: str, folder: Path) -> None:
        self.secure, self.open_bootstrap, self._folder = secure, open_bootstrap, folder
        self._admin = AdminClient({"bootstrap.servers": secure.bootstrap}, logger=SILENT_LOGGER)
        self._canary = create_topic(secure.bootstrap)

    def hire(self, row: Row, topics: Iterable[str], groups: Iterable[str] = ()) -> User:
        """Return a new user with the rights of a row on these topics and groups."""
        name = f"user-{uuid.uuid4().hex[:8]}"
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        upsertion = UserScramCredentialUpsertion(name, credential, PASSWORD.encode())
        for future in self._admin.alter_user_scram_credentials([upsertion]).values():
            future.result(timeout=30)
        rights = [(ResourceType.TOPIC, topic, right) for topic in topics for right in row.topic_rights]
        group_right, _, group_names = row.groups.partition(" on ")
        if "--groups" in group_names:
            rights += [(ResourceType.GROUP, group, group_right) for group in groups]
        if "kafmirror-*" in group_names:
            rights.append((ResourceType.GROUP, "kafmirror-*", group_right))
        for each in rights:
            self._allow(name, *each)
        self._allow(name, ResourceType.TOPIC, self._canary, "DESCRIBE")
        user = {"sasl.username": name, "sasl.password": PASSWORD}
        properties = {**self.secure.client_properties("admin"), **user}
        eventually(lambda: self._sees_canary(properties), 60)  # it is given last, so all others are known as well
        return User(name, self._write_settings(name, properties), properties)

    def _allow(self, user: str, kind: ResourceType, name: str, right: str) -> None:
        pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
        who = (f"User:{user}", "*", AclOperation[right], AclPermissionType.ALLOW)
        for future in self._admin.create_acls([AclBinding(kind, name.removesuffix("*"), pattern, *who)]).values():
            future.result(timeout=30)

    def _sees_canary(self, properties: Mapping[str, str]) -> bool:
        try:
            return self._canary in AdminClient({**properties}, logger=SILENT_LOGGER).list_topics(timeout=5).topics
        except KafkaException:  # the broker doesn't know the password yet
            return False

    def _write_settings(self, name: str, properties: Mapping[str, str]) -> Path:
        folder = self._folder / name
        folder.mkdir()
        lines = ["[clusters.user]", *(f'"{key}" = "{value}"' for key, value in properties.items())]
        lines += ["[clusters.open]", f'"bootstrap.servers" = "{self.open_bootstrap}"']
        (folder / "agentlog.toml").write_text("\n".join(lines))
        return folder


@pytest.fixture(scope="module")
def office(secure_kafka: KafkaCluster, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Office:
    return Office(secure_kafka, kafka, tmp_path_factory.mktemp("users"))


@pytest.fixture(scope="module")
def story(secure_kafka: KafkaCluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The story as a topic of the secure cluster, and as a file."""
    folder = tmp_path_factory.mktemp("story")
    topic, file = f"story-{uuid.uuid4().hex[:8]}", folder / "story.ndjson"
    assert run("kshark", "demo", "--cluster", secure_kafka.bootstrap, "--topic", topic).code == 0
    assert run("kshark", "demo", str(file)).code == 0
    return topic, file


ARGUMENTS: Mapping[str, tuple[tuple[str, ...], int]] = {
    "kshark sessions": ((), 0),
    "kshark replay": (("sess_invoice_847",), 0),
    "kshark why": (("sess_invoice_847",), 0),
    "kshark memory": (("sess_invoice_847",), 0),
    "kshark report": (("sess_invoice_847", "-o", "page.html"), 0),
    "kshark export": (("sess_invoice_847", "-o", "run.ndjson"), 0),
    "kshark stats": (("--from", "2026-01-01"), 0),
    "kdiff compare": (("sess_invoice_ok", "sess_invoice_847"), 1),
    "kdiff cohort": (("sess_invoice_ok", "sess_support_4138", "--against", "sess_invoice_847"), 1),
}
"""What each command that reads is run with, and its exit code."""


def test_every_command_of_the_table_is_tried_here() -> None:
    mirror_commands = {
        f"kafmirror {name}" for name in ("plan", "replicate", "status", "verify", "failover", "failback")
    }
    others = {"kshark clusters", "kshark tail", "kshark import", "kshark demo", "AgentTracer"}
    assert {command for command, _ in ROWS} == {*ARGUMENTS, *mirror_commands, *others}


@pytest.fixture(scope="module")
def reader(office: Office, story: tuple[str, Path]) -> User:
    assert ROWS["kdiff compare", HERE].topic_rights == ROWS["kshark replay", HERE].topic_rights
    return office.hire(ROWS["kshark replay", HERE], [story[0]])


@pytest.mark.parametrize("command", ARGUMENTS)
def test_whoever_may_only_read_the_topic_has_all_that_is_read(
    reader: User, story: tuple[str, Path], command: str
) -> None:
    arguments, code = ARGUMENTS[command]
    ran = reader.run(command, *arguments, "--cluster", "user", "--topic", story[0])
    assert ran.code == code, ran.error_text


def test_tail_needs_no_other_right_either(reader: User, story: tuple[str, Path]) -> None:
    properties = [part for name, value in reader.properties.items() for part in ("-X", f"{name}={value}")]
    address = ("--cluster", reader.properties["bootstrap.servers"], "--topic", story[0])
    tail = RunningTool("kshark", "tail", *address, *properties, "--from", "2026-01-01")
    try:
        assert "session_id" in tail.read_line()
    finally:
        tail.kill()
        tail.wait_for_end()


def test_clusters_needs_no_other_right_either(reader: User, story: tuple[str, Path]) -> None:
    ran = reader.run("kshark clusters", "--topic", story[0])
    assert f"topic {story[0]}: 12 partitions, 4,483 records" in ran.text


def test_a_recorder_needs_only_the_right_to_write(office: Office) -> None:
    topic = create_topic(office.secure.bootstrap)
    user = office.hire(ROWS["AgentTracer", HERE], [topic])
    with AgentTracer("sess_1", agent_id="agent", kafka=dict(user.properties), topic=topic) as tracer:
        tracer.user_message("hello")
        assert tracer.flush(60)
    eventually(lambda: tracer.stats().delivered == tracer.stats().recorded, 60)


def test_a_recorder_without_any_right_to_write_says_so_and_keeps_its_events(office: Office, tmp_path: Path) -> None:
    topic = create_topic(office.secure.bootstrap)
    user = office.hire(ROWS["kshark replay", HERE], [topic])
    common: dict[str, Any] = {"agent_id": "agent", "topic": topic, "outage_s": 1.0, "exit_s": 1.0}
    common["kafka"] = dict(user.properties)
    spooling = AgentTracer("sess_spooled", on_outage="spool", spool=tmp_path, **common)
    with spooling:
        for number in range(200):
            spooling.user_message(f"{number}")
    eventually(lambda: spooling.stats().spooled == spooling.stats().recorded, 60)
    raising = AgentTracer("sess_raise", on_outage="raise", **common)
    raising.user_message("hello")
    assert "the right WRITE is needed" in eventually(lambda: get_error(raising, KafkaRefused), 60)
    with suppress(KafkaRefused):
        raising.close()


def test_import_and_demo_need_the_rights_of_the_table(office: Office, story: tuple[str, Path]) -> None:
    new, old = f"new-{uuid.uuid4().hex[:8]}", create_topic(office.secure.bootstrap, partitions=3)
    demo = office.hire(ROWS["kshark demo", HERE], [new])
    for _ in range(2):  # the topic is new at first, and exists then
        ran = demo.run("kshark demo", "--cluster", "user", "--topic", new)
        assert ran.code == 0, ran.error_text
    importer = office.hire(ROWS["kshark import", HERE], [old])
    ran = importer.run("kshark import", str(story[1]), "--cluster", "user", "--topic", old)
    assert ran.code == 0, ran.error_text


@pytest.mark.parametrize("missing", ROWS["kshark import", HERE].topic_rights)
def test_import_names_the_right_that_is_missing(office: Office, story: tuple[str, Path], missing: str) -> None:
    topic = create_topic(office.secure.bootstrap)
    produce(office.secure.bootstrap, topic, [Message("k", "there is something to read")])
    ran = without(office, ROWS["kshark import", HERE], missing, [topic]).run(
        "kshark import", str(story[1]), "--cluster", "user", "--topic", topic
    )
    assert ran.code == 3
    assert re.search(rf"rights? .*{missing}\b", ran.error_text), ran.error_text


def without(office: Office, row: Row, right: str, topics: Iterable[str], groups: Iterable[str] = ()) -> User:
    """Return a user who has all rights of a row but one."""
    assert right in row.topic_rights
    if right == "ALTER_CONFIGS":  # it includes another right, which isn't to be missing
        row = row._replace(topic_rights=(*row.topic_rights, "DESCRIBE_CONFIGS"))
    return office.hire(
        row._replace(topic_rights=tuple(each for each in row.topic_rights if each != right)), topics, groups
    )


def fill(bootstrap: str, topic: str | None = None) -> str:
    """Create a topic of two partitions whose first one no longer begins at offset 0."""
    topic = create_topic(bootstrap, topic, partitions=2)
    produce(bootstrap, topic, [Message("k", f"{n}", partition=n % 2) for n in range(100)])
    admin = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER)
    for future in admin.delete_records([TopicPartition(topic, 0, 10)]).values():
        future.result(timeout=30)
    return topic


def commit(bootstrap: str, group: str, topic: str) -> None:
    with closing(Consumer({"bootstrap.servers": bootstrap, "group.id": group}, logger=SILENT_LOGGER)) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 20)], asynchronous=False)


def mirror(user: User, command: str, source: str, target: str, topic: str, *more: str) -> CompletedRun:
    return user.run(command, "--source", source, "--target", target, "--topics", topic, *more)


@pytest.mark.parametrize("place", [SOURCE, TARGET])
def test_a_mirror_needs_the_rights_of_the_table_and_none_on_the_cluster(office: Office, place: str) -> None:
    is_source = place == SOURCE
    source, target = ("user", "open") if is_source else ("open", "user")
    bootstrap = office.secure.bootstrap if is_source else office.open_bootstrap
    topic, group = fill(bootstrap), f"group-{uuid.uuid4().hex[:8]}"
    commit(bootstrap, group, topic)
    writer = office.hire(ROWS["kafmirror replicate", place], [topic], [group])
    looker = office.hire(ROWS["kafmirror status", place], [topic], [group])
    for user, command, *more in (
        (writer, "kafmirror plan"),
        (writer, "kafmirror replicate", "--once", "--groups", group),
        (looker, "kafmirror status", "--groups", group),
        (looker, "kafmirror verify"),
        (looker, "kafmirror failover", "--groups", group),
    ):
        ran = mirror(user, command, source, target, topic, *more)
        assert ran.code == 0, (command, ran.text, ran.error_text)
    plan = mirror(writer, "kafmirror plan", source, target, topic).text
    hidden = "size on disk, as it needs DESCRIBE on" if is_source else "as it needs DESCRIBE_CONFIGS on"
    assert hidden in " ".join(plan.split())


@pytest.mark.parametrize("place", [SOURCE, TARGET])
def test_the_way_home_needs_the_rights_of_the_table(office: Office, place: str, tmp_path: Path) -> None:
    is_source = place == SOURCE
    old, new = ("open", "user") if is_source else ("user", "open")
    bootstrap = office.open_bootstrap if is_source else office.secure.bootstrap
    topic = fill(bootstrap)
    user = office.hire(ROWS["kafmirror failback", place], [topic])
    between = ("--source", bootstrap, "--target", office.secure.bootstrap if is_source else office.open_bootstrap)
    assert run("kafmirror", "replicate", *between, "--topics", topic, "--once").code == 0
    produce(bootstrap, topic, [Message("k", "never mirrored", partition=1)])
    saved = tmp_path / "saved.ndjson"
    ran = mirror(user, "kafmirror failback", new, old, topic, "--save", str(saved), "--yes")
    assert ran.code == 0, (ran.text, ran.error_text)
    assert len(saved.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("place", "missing"), [(place, right) for place in (SOURCE, TARGET) for right in ROWS["kafmirror plan", place][2]]
)
def test_a_plan_names_the_right_that_is_missing(office: Office, place: str, missing: str) -> None:
    is_source, is_new = place == SOURCE, missing == "CREATE"
    source, target = ("user", "open") if is_source else ("open", "user")
    topic = fill(office.secure.bootstrap if is_source else office.open_bootstrap)
    if not is_source and not is_new:
        create_topic(office.secure.bootstrap, topic)
    user = without(office, ROWS["kafmirror plan", place], missing, [topic])
    ran = mirror(user, "kafmirror plan", source, target, topic)
    assert ran.code in (1, 3), ran.text
    # Whoever may neither read nor describe a topic doesn't see it.
    is_hidden = is_source and missing == "READ"
    wanted = f"has no topic {topic} that we may see" if is_hidden else rf"\b{missing}\b( is)? needed"
    assert re.search(wanted, " ".join((ran.text + ran.error_text).split())), ran.text + ran.error_text


def test_a_plan_names_the_right_on_the_mirror_s_groups_that_is_missing(office: Office) -> None:
    topic = fill(office.open_bootstrap)
    user = office.hire(ROWS["kafmirror plan", TARGET]._replace(groups=""), [topic])
    ran = mirror(user, "kafmirror plan", "open", "user", topic)
    assert ran.code == 1, ran.text
    assert "not authorised on groups kafmirror-*" in ran.text

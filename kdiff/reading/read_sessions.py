"""Reading of one session, or of two at the same time. The payloads go into a spill file."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import msgspec

from agentlog.errors import NothingToShow, UsageError
from agentlog.event.content import digest_content
from agentlog.event.event import Unreadable
from agentlog.event.position import PositionRange
from agentlog.log.open_source import open_source
from agentlog.log.source import Source
from agentlog.session.coverage import SearchReport, measure_coverage
from agentlog.session.timeline import build_timeline
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import write_stderr
from agentlog.terminal.progress import show_progress
from agentlog.terminal.unreadable_report import report_unreadable
from agentlog.text.coverage_text import describe_key_search, describe_not_found, progress_text

from .noise import compile_hints
from .session import Session
from .signature import RecordSignature, SignatureBuilder
from .spill import SpillFile
from .worker import run_in_fork

BATCH_SIZE = 1_000
"""The number of signatures that are encoded at once."""


class SessionRequest(NamedTuple):
    """A session to read: its id, its source, the part to read, and the builder of its signatures."""

    session_id: str
    where: SourceOptions
    span: PositionRange
    signature_builder: SignatureBuilder


class _ReadRecords(NamedTuple):
    """The records of a session, and what was searched to find them."""

    signatures: Iterable[RecordSignature]
    unreadable: list[Unreadable]
    searched: SearchReport


def read_session(request: SessionRequest, already_reported: Iterable[Unreadable] = ()) -> Session:
    """Read a session. Report unreadable records on standard error, except those in ``already_reported``.

    Raises:
        NothingToShow: the session has no readable record.
        AgentlogError: the source can't be read.
    """
    with open_source(request.where) as source, show_progress(lambda: progress_text(source.searched)):
        unreadable: list[Unreadable] = []
        signatures = list(_read_signatures(request, source, unreadable))
    return _build_session(request, _ReadRecords(signatures, unreadable, source.searched), already_reported)


def read_both(a: SessionRequest, b: SessionRequest) -> tuple[Session, Session]:
    """Read two sessions at the same time, B in another process.

    Raises:
        NothingToShow: one of the sessions has no readable record.
        AgentlogError: a source can't be read.
    """
    compile_hints()  # before the fork, so that it is done once
    with TemporaryFile() as file, run_in_fork(lambda: _read_into(file, b)) as wait_for_b:
        session_a = read_session(a)
        unreadable, searched, id_hashes = wait_for_b()
        b.signature_builder.spill.id_hashes.frombytes(id_hashes)
        return session_a, _build_session(
            b, _ReadRecords(_decode_signatures(file), unreadable, searched), session_a.unreadable
        )


def _read_into(file: IO[bytes], request: SessionRequest) -> tuple[list[Unreadable], SearchReport, bytes]:
    unreadable: list[Unreadable] = []
    encode = msgspec.msgpack.Encoder().encode
    with open_source(request.where) as source:
        signatures = _read_signatures(request, source, unreadable)
        while batch := list(islice(signatures, BATCH_SIZE)):
            encoded = encode(batch)
            file.write(len(encoded).to_bytes(8, "big") + encoded)
    file.flush()
    request.signature_builder.spill.flush()
    return unreadable, source.searched, request.signature_builder.spill.id_hashes.tobytes()


def _decode_signatures(file: IO[bytes]) -> Iterator[RecordSignature]:
    decode = msgspec.msgpack.Decoder(list[RecordSignature]).decode
    file.seek(0)
    while size := file.read(8):
        yield from decode(file.read(int.from_bytes(size, "big")))


def _read_signatures(
    request: SessionRequest, source: Source, unreadable: list[Unreadable]
) -> Iterator[RecordSignature]:
    build_signature = request.signature_builder.build_signature
    for item in source.records(request.session_id, request.span):
        if isinstance(item, Unreadable):
            unreadable.append(item)
        else:
            yield build_signature(item)


def _build_session(request: SessionRequest, records: _ReadRecords, already_reported: Iterable[Unreadable]) -> Session:
    session_id, span, searched = request.session_id, request.span, records.searched
    signatures = list(records.signatures)
    reported = set(already_reported)
    unreported = [each for each in records.unreadable if each not in reported]
    report_unreadable(unreported)
    if not signatures:
        raise NothingToShow(describe_not_found(session_id, searched, span))
    if (note := describe_key_search(session_id, searched)) is not None:
        write_stderr(note)
    session_timeline = build_timeline(session_id, _digest_repeated(signatures, request.signature_builder.spill))
    return Session(
        session_timeline,
        measure_coverage(searched, session_timeline, span),
        records.unreadable,
        request.signature_builder.spill,
    )


def _digest_repeated(signatures: Iterable[RecordSignature], spill: SpillFile) -> Iterator[RecordSignature]:
    """Yield the signatures; where an id is repeated, with a digest of the content, which tells copies from others."""
    signatures = list(signatures)
    counts = Counter(signature.event.event_id for signature in signatures)
    for signature in signatures:
        if counts[signature.event.event_id] > 1:
            content = spill.read_value(signature.value_offset, signature.value_size)
            yield msgspec.structs.replace(signature, value=digest_content(content))
        else:
            yield signature


def resolve_sources(
    source_options: SourceOptions, other_file: str | None, other_cluster: str | None
) -> tuple[SourceOptions, SourceOptions]:
    """Return the sources of A and of B. They are the same unless another file or cluster is given for B.

    Raises:
        UsageError: the options contradict each other, or both sources are standard input.
    """
    if other_file and other_cluster:
        raise UsageError("--other-file and --other-cluster: B is read from one place; give only one of them")
    if other_cluster is None:
        source_b = source_options if other_file is None else SourceOptions(file=other_file)
        sources = source_options, source_b
    else:
        source_a = source_options if source_options.file is None else SourceOptions(file=source_options.file)
        sources = source_a, source_options._replace(file=None, cluster=other_cluster)
    if sources[0].file == sources[1].file == "-":
        raise UsageError("standard input can be read only once: save it as a file first")
    return sources

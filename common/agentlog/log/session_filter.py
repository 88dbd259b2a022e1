"""The filter that selects a session's messages: by keys where these are the sessions' ids, else by values."""

from collections.abc import Iterator, Sequence

import msgspec

from ..event import codec
from ..event.event import Unreadable
from ..event.record_key import names_session
from ..event.registry_frame import drop_frame
from ..session.coverage import SearchReport
from .reader import Message
from .source import MAX_REMEMBERED_IDS

CHECKED_MESSAGES = 5_000
"""The values of so many messages are compared with their keys; then those of every fiftieth."""
CHECKED_SHARE = 50
MAX_KEPT_UNREADABLE = 10_000


class _SessionHead(msgspec.Struct, gc=False):
    session_id: str | None = None


_head_decoder = msgspec.json.Decoder(_SessionHead)


class SessionFilter:
    """A filter for the messages of a session.

    Usually a record's key is its session's id. Then the key tells, and no other value is decoded. Whether it is so is
    checked with the first message of each key, and with a share of all messages. Once a record has another key, or
    none, the values tell.

    Attributes:
        has_other_keys: whether a record was seen whose key isn't its session's id.
        has_trusted_keys: whether the last batch was selected by its keys.
        has_mixed_keys: whether a key was seen that is the id of one session, but also has records of another one.
    """

    def __init__(self, session_id: str, report: SearchReport, *, has_other_keys: bool = False) -> None:
        self.session_id, self.report = session_id, report
        self.has_other_keys, self.has_trusted_keys, self.has_mixed_keys = has_other_keys, False, False
        self._own_key = session_id.encode()
        self._checked_keys: set[bytes] = set()
        self._checked_count = 0
        self._unreadable: list[tuple[bytes, Unreadable]] = []

    def select(self, batch: Sequence[Message]) -> list[Message]:
        """Return the messages that may be the session's. This runs for every message."""
        keys = list(map(Message.key, batch))
        distinct = set(keys)
        if not self.has_other_keys:
            self._check_keys(batch, keys, distinct)
        self.has_trusted_keys = not self.has_other_keys
        if self.has_other_keys:
            return list(self._select_by_value(batch, keys))
        if distinct.isdisjoint((self._own_key, None)):
            return []
        return [message for message, key in zip(batch, keys, strict=True) if key is None or key == self._own_key]

    def select_unchecked(self, batch: Sequence[Message]) -> Iterator[Message]:
        """Yield those of the session's messages that ``select`` passed over while it trusted the keys."""
        for message in batch:
            if message.key() not in (self._own_key, None) and read_session_id(message) == self.session_id:
                yield message

    def _check_keys(self, batch: Sequence[Message], keys: Sequence[bytes | None], distinct: set[bytes | None]) -> None:
        """Compare the first message of each new key, and a share of all messages, with their keys."""
        new_keys = distinct - self._checked_keys - {self._own_key, None}
        step = 1 if self._checked_count < CHECKED_MESSAGES else CHECKED_SHARE
        self._checked_count += len(batch)
        for message, key in zip(batch[::step], keys[::step], strict=True):
            if key is not None and key != self._own_key:
                self._check_message(message, key)
        if new_keys := new_keys - self._checked_keys:
            first_messages = dict(zip(reversed(keys), reversed(batch), strict=True))
            for key in new_keys:
                if key is not None:
                    self._check_message(first_messages[key], key)

    def _check_message(self, message: Message, key: bytes) -> None:
        found_id = read_session_id(message)
        if found_id is None:  # no event: its key may still name the session
            self.has_other_keys = self.has_other_keys or names_session(key, self.session_id)
            return
        encoded_id = found_id.encode()
        self._remember(encoded_id)
        if encoded_id != key:
            self.note_other_key(key, found_id)
        elif len(self._checked_keys) < MAX_REMEMBERED_IDS:
            self._checked_keys.add(key)

    def _remember(self, session_key: bytes) -> None:
        """Keep the id of another session, up to a limit. If the session isn't found, similar ids are suggested."""
        if len(self.report.others) < MAX_REMEMBERED_IDS and session_key != self._own_key:
            self.report.others.add(session_key)

    def note_other_key(self, key: bytes | None, session_id: str) -> None:
        """Note that a record of any session has another key, or none."""
        self.has_other_keys = True
        self.has_mixed_keys = self.has_mixed_keys or key == self._own_key or key in self._checked_keys
        if key == self._own_key:
            self.report.note_keyed_session(session_id)

    def _select_by_value(self, batch: Sequence[Message], keys: Sequence[bytes | None]) -> Iterator[Message]:
        for message, key in zip(batch, keys, strict=True):
            if key is None or key == self._own_key:
                yield message
                continue
            found_id = read_session_id(message)
            if found_id is None or found_id == self.session_id:
                yield message
            else:
                encoded_id = found_id.encode()
                self._remember(encoded_id)
                if encoded_id != key and key in self._checked_keys:
                    self.has_mixed_keys = True

    def is_known_key(self, key: bytes | None) -> bool:
        """Whether an unreadable record with this key may be the session's."""
        return key is None or key == self._own_key or key in self.report.keys or names_session(key, self.session_id)

    def keep_unreadable(self, key: bytes | None, unreadable: Unreadable) -> None:
        """Keep an unreadable record. It may be the session's if records of the session turn out to have its key."""
        if key is not None and len(self._unreadable) < MAX_KEPT_UNREADABLE:
            self._unreadable.append((key, unreadable))

    def take_unreadable(self) -> Iterator[Unreadable]:
        """Yield the kept records that may be the session's."""
        kept, self._unreadable = self._unreadable, []
        return (unreadable for key, unreadable in kept if key in self.report.keys)


def read_session_id(message: Message) -> str | None:
    """Return the session's id that a message's value names; None if the value is no event."""
    try:
        return codec.decode_tolerantly(_head_decoder, drop_frame(message.value() or b"")).session_id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None

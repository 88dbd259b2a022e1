"""Every error that agentlog raises, and the exit code that a command ends with for it.

AgentlogError
├── UsageError                2  what the user wrote can't be done
│   ├── PositionError            a time or an offset that we don't understand
│   └── SettingsError            a setting that is wrong, with the place that it came from
├── KafkaError                3  the cluster didn't do what we asked
│   ├── KafkaUnavailable         not reached, or no answer in time
│   ├── KafkaRefused             reached, and refused us: TLS, password, rights
│   └── TopicNotFound            reached, and it has no such topic
└── NothingToShow             4  no such session, or nothing that could be read

Beside the tree stands Stopped: a signal (130, 143), or a reader who has gone (0), ends the command.
"""


class AgentlogError(Exception):
    """Something that a user can act on: the message says what, where and what to do."""

    exit_code = 1


class UsageError(AgentlogError):
    """What the user wrote can't be done as written."""

    exit_code = 2


class PositionError(UsageError):
    """A time or an offset that we don't understand."""


class SettingsError(UsageError):
    """A setting that is missing or wrong; the message names the file and line, variable or flag it came from."""


class KafkaError(AgentlogError):
    """The cluster didn't do what we asked."""

    exit_code = 3


class KafkaUnavailable(KafkaError):
    """The cluster wasn't reached, or didn't answer in time."""


class KafkaRefused(KafkaError):
    """The cluster was reached and refused us: its certificate or ours, the password, or missing rights."""


class TopicNotFound(KafkaError):
    """The cluster was reached, and has no topic of this name."""


class NothingToShow(AgentlogError):
    """No such session, or nothing of it that could be read."""

    exit_code = 4


class Stopped(BaseException):
    """A signal, or a reader who has gone, ends the command; no error, so nothing but a tool's end catches it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

"""All errors of agentlog, with the exit codes of the commands.

AgentlogError
├── UsageError                2  the user asked for something impossible
│   ├── PositionError            a time or an offset that we don't understand
│   └── SettingsError            a wrong or missing setting; the message names its file and line
├── KafkaError                3  the cluster didn't carry out a request
│   ├── KafkaUnavailable         not reached, or no answer in time
│   │   └── SessionUnavailable      not found, but some of the topic's partitions can't be read
│   ├── KafkaRefused             reached, and refused us: TLS, password, rights
│   └── TopicNotFound            reached, and it has no such topic
└── NothingToShow             4  no such session, or no readable record of it

Stopped is not in the tree. It ends a command after a signal (130, 143), or when the reader of its output has gone (0).
"""


class AgentlogError(Exception):
    """An error that the user can act on. Its message says what, where and what to do."""

    exit_code = 1


class UsageError(AgentlogError):
    """A request of the user that can't be carried out as written."""

    exit_code = 2


class PositionError(UsageError):
    """A time or an offset that we don't understand."""


class SettingsError(UsageError):
    """A setting that is missing or wrong. The message names the file and line, variable or flag of the setting."""


class KafkaError(AgentlogError):
    """A request that the cluster didn't carry out."""

    exit_code = 3


class KafkaUnavailable(KafkaError):
    """A cluster that wasn't reached, or didn't answer in time."""


class SessionUnavailable(KafkaUnavailable):
    """A session of which no record was found, but it may lie in a partition that can't be read now."""


class KafkaRefused(KafkaError):
    """A cluster that was reached and refused us, because of a certificate, the password, or missing rights."""


class TopicNotFound(KafkaError):
    """A topic that the cluster doesn't have."""


class NothingToShow(AgentlogError):
    """A session that doesn't exist, or has no readable record."""

    exit_code = 4


class Stopped(BaseException):
    """The end of a command by a signal, or because the reader of its output has gone.

    It is not an Exception, so it passes every handler except the one at the end of a command.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code

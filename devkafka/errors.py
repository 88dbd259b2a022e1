"""The errors of a local Kafka, with messages that a contributor can act on."""


class DevKafkaError(Exception):
    """A failure of a local Kafka. The message says what to do."""

    exit_code = 2


class NotInstalled(DevKafkaError):
    """Java or Maven that is missing or too old, or jars that can't be fetched."""


class NotReady(DevKafkaError):
    """A broker that ended, or didn't answer in time. The message ends with the last lines of its log."""

    exit_code = 3

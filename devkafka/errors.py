"""What can go wrong with a local Kafka, in words that a contributor can act on."""


class DevKafkaError(Exception):
    """A local Kafka didn't do what we asked; the message says what to do."""

    exit_code = 2


class NotInstalled(DevKafkaError):
    """Java or Maven is missing or too old, or Kafka's jars can't be fetched."""


class NotReady(DevKafkaError):
    """A broker ended, or didn't answer in time; the message ends with the end of its log."""

    exit_code = 3

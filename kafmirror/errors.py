"""What ends a mirror, beside the errors of `agentlog.errors`."""

from agentlog.errors import AgentlogError


class Refused(AgentlogError):
    """The plan says no; the message says why."""

    exit_code = 1


class MirrorStopped(AgentlogError):
    """Going on would lose, double or reorder a record; the message says where."""

    exit_code = 1

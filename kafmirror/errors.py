"""The errors that end a mirror, in addition to those of `agentlog.errors`."""

from agentlog.errors import AgentlogError


class Refused(AgentlogError):
    """A refusal of a plan that can't be carried out. The message says why."""

    exit_code = 1


class MirrorStopped(AgentlogError):
    """A stop of a mirror that would otherwise lose, double or reorder a record. The message says where."""

    exit_code = 1

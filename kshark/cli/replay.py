"""The options of `kshark replay`."""

import click

from ..source.session_request import SessionRequest
from .options import max_chars_option, pager_option, session_options

FORMATS = ("text", "tree", "ndjson", "json", "markdown")


@click.command()
@session_options
@click.option("--follow", is_flag=True, help="Go on with new events as they come, until the session ends.")
@click.option("--format", "shape", type=click.Choice(FORMATS), help="[default: text; ndjson into a pipe]")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="Only of this agent; may be repeated.")
@click.option("--errors", is_flag=True, help="Only what went wrong.")
@click.option("--full", is_flag=True, help="Every step on its own, all that it recorded, every line of it.")
@max_chars_option
@pager_option
def replay(
    wanted: SessionRequest,
    follow: bool,
    shape: str | None,
    types: tuple[str, ...],
    agents: tuple[str, ...],
    errors: bool,
    full: bool,
    max_chars: int | None,
    pager: bool,
) -> None:
    """Replay a session step by step.

    \b
    kshark replay sess_a1b2c3                        from the default cluster
    kshark replay --last                             the newest one
    kshark replay                                    asks which, on a terminal
    kshark replay sess_a1b2c3 --from "yesterday 14:00" --to "yesterday 15:30"
    kshark replay sess_a1b2c3 --errors               only what went wrong
    kshark replay sess_a1b2c3 --type tool_call --type decision
    kshark replay sess_a1b2c3 --follow               go on as it happens
    kshark replay sess_a1b2c3 > run.ndjson           keep it as a capture file
    kshark replay sess_a1b2c3 --file run.ndjson      and replay it without Kafka
    kshark replay sess_a1b2c3 --cluster broker:9093 -X security.protocol=SASL_SSL
    """
    from ..replay.command import replay_session
    from ..view.output_format import choose_format, explain_format
    from ..view.replay_options import ReplayOptions

    choice = ReplayOptions(types, agents, errors, choose_format(shape), full, max_chars, pager)
    with explain_format(shape):
        if follow:
            from ..live.follow import follow_session

            follow_session(wanted, choice)
        else:
            replay_session(wanted, choice)

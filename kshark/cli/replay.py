"""The options of `kshark replay`."""

from typing import Annotated, Literal

import typer

from agentlog.terminal.options import PagerOption

from .options import AgentsOption, ErrorsOption, MaxCharsOption, SessionOptions, TypesOption


def replay(
    session: SessionOptions,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new events as they come, until the session ends.")
    ] = False,
    output_format: Annotated[
        Literal["text", "tree", "ndjson", "json", "markdown"] | None,
        typer.Option("--format", help="[default: text; ndjson into a pipe]"),
    ] = None,
    types: TypesOption = (),
    agents: AgentsOption = (),
    errors: ErrorsOption = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every step on its own, all that it recorded, every line of it.")
    ] = False,
    max_chars: MaxCharsOption = None,
    pager: PagerOption = True,
) -> None:
    """Replay a session step by step.

    \b
    kshark replay sess_a1b2c3                    # from the default cluster
    kshark replay --last                         # the newest one
    kshark replay                                # asks which, on a terminal
    kshark replay sess_a1b2c3 --from "yesterday 14:00" --to "yesterday 15:30"
    kshark replay sess_a1b2c3 --errors           # only what went wrong
    kshark replay sess_a1b2c3 --type tool_call --type decision
    kshark replay sess_a1b2c3 --follow           # go on as it happens
    kshark replay sess_a1b2c3 > run.ndjson       # keep it as a capture file
    kshark replay sess_a1b2c3 --file run.ndjson  # and replay it without Kafka
    kshark replay sess_a1b2c3 -c broker:9093 -X security.protocol=SASL_SSL
    """
    from ..replay.command import replay_session
    from ..view.output_format import choose_format, explain_format
    from ..view.replay_options import ReplayOptions

    request = session.make_request()
    options = ReplayOptions(types, agents, errors, choose_format(output_format), full, max_chars, pager)
    with explain_format(output_format):
        if follow:
            from ..live.follow import follow_session

            follow_session(request, options)
        else:
            replay_session(request, options)

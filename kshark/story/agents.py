"""The agents of the story, their language models, and the models' prices."""

from typing import NamedTuple


class Model(NamedTuple):
    """A language model: its list prices in US dollars per million tokens (January 2026), and its speed.

    Attributes:
        cached: the price of input tokens that the provider had in its prompt cache.
        ms_per_token: how long one token of output takes.
    """

    input: float
    output: float
    cached: float
    ms_per_token: float


MODELS = {
    "claude-opus-4-1": Model(15.00, 75.00, 1.50, 15.0),
    "claude-sonnet-4-5": Model(3.00, 15.00, 0.30, 13.0),
    "claude-haiku-4-5": Model(1.00, 5.00, 0.10, 6.5),
    "gpt-4o": Model(2.50, 10.00, 1.25, 10.0),
    "gpt-4o-mini": Model(0.15, 0.60, 0.075, 7.5),
}


class Tokens(NamedTuple):
    """The tokens of one model call; ``input`` includes ``cached``."""

    input: int
    output: int
    cached: int = 0


def cost_usd(model: str, tokens: Tokens) -> float:
    """Return the list price of one call in US dollars, to a ten-thousandth of a cent."""
    price = MODELS[model]
    fresh = (tokens.input - tokens.cached) * price.input
    return round((fresh + tokens.cached * price.cached + tokens.output * price.output) / 1_000_000, 6)


class Agent(NamedTuple):
    """A kind of agent, and how its processes record.

    Attributes:
        worker: what its processes are called, before their four hex digits.
        model: the model that it asks unless told otherwise.
        announces: whether a call of more than half a second is recorded when it starts, too.
        prompt_tokens: the tokens of its system prompt.
        mean_thinking_tokens: about how many tokens it thinks before it answers.
        clock_ms: how far its machine's clock is ahead of the true time; negative is behind.
        partitioner: how its Kafka client picks a partition.
    """

    agent_id: str
    worker: str
    model: str = "claude-sonnet-4-5"
    announces: bool = False
    prompt_tokens: int = 1_900
    mean_thinking_tokens: int = 90
    clock_ms: int = 0
    partitioner: str = "murmur2"


INVOICER = Agent("invoice-generator-v2", "invoice-worker", announces=True)
OLD_INVOICER = Agent("invoice-generator-v1", "invoice-worker-v1", "gpt-4o")
RESEARCHER = Agent("research-agent", "research-worker", "claude-haiku-4-5")
ANALYST = Agent("market-researcher", "analyst", announces=True, prompt_tokens=2_600, mean_thinking_tokens=420)
SUPPORTER = Agent("support-agent-v3", "support-worker", "gpt-4o-mini", prompt_tokens=1_250)
REPORTER = Agent("report-agent", "report-worker", "gpt-4o")
REFUNDER = Agent("refund-agent", "refund-worker", "gpt-4o", prompt_tokens=1_480)
FRAUD_CHECKER = Agent("fraud-check-agent", "fraud-worker", "claude-haiku-4-5", prompt_tokens=900)
CODER = Agent("coding-agent", "coder", announces=True, prompt_tokens=4_200, mean_thinking_tokens=760)
BOOKKEEPER = Agent("bookkeeping-agent", "ledger-worker", announces=True)
LAWYER = Agent("contract-reviewer", "contract-worker", announces=True, prompt_tokens=3_100, mean_thinking_tokens=900)
CLAIMS_HANDLER = Agent("claims-agent", "claims-worker")
COURIER = Agent("courier-agent", "courier-worker", "claude-haiku-4-5")
PHOTO_CHECKER = Agent("photo-agent", "photo-worker", "gpt-4o", partitioner="crc32")
PLANNER = Agent("trip-planner", "trip-worker", announces=True, prompt_tokens=2_200, mean_thinking_tokens=300)
TRIP_RESEARCHER = Agent("research-agent", "research-worker", announces=True, mean_thinking_tokens=240)
FARE_FINDER = Agent("fares-agent", "fares-worker", "claude-haiku-4-5", prompt_tokens=1_100)
CONVERTER = Agent("currency-agent", "currency-worker", "gpt-4o-mini", prompt_tokens=400)
HOTEL_FINDER = Agent("hotels-agent", "hotels-worker", "claude-haiku-4-5", prompt_tokens=1_300)
VISA_ADVISER = Agent("visa-agent", "visa-worker", "claude-haiku-4-5", prompt_tokens=1_600)

"""Two sessions for one invoice: one makes 847 API calls, the other needs nine."""

from collections.abc import Callable
from typing import NamedTuple

from .agents import INVOICER, RESEARCHER, Tokens
from .session_writer import Fields, Scene, SessionWriter

INVOICE_847 = "sess_invoice_847"
"""The runaway: 847 ``tool_call`` events, 164 of them the same refused request, and 12 ``llm_call`` events; it fails."""
INVOICE_OK = "sess_invoice_ok"
"""The same goal, an hour later: 9 ``tool_call`` events, one of them refused; it succeeds."""

RUNAWAY_TOOL_CALLS = 847
RUNAWAY_ERRORS = 164
RUNAWAY_LLM_CALLS = 12
RUNAWAY_TOKENS = 182_400
RUNAWAY_COST_USD = 4.31
OK_TOOL_CALLS = 9

REQUEST = "Please invoice Acme for milestone 2"
INVOICE: Fields = {"customer_id": "cus_acme_41", "amount": 4500, "currency": "usd", "description": "Milestone 2: pilot"}
RATE_LIMIT_ERROR = "rate_limit: Too many requests, retry after 2 s"
CUSTOMER: Fields = {"id": "cus_acme_41", "name": "Acme Corp", "currency": "usd", "delinquent": False}
MILESTONE: Fields = {"milestone_id": "ms_acme_2", "title": "Pilot in two plants", "amount": 4500, "state": "accepted"}


def write_runaway(scene: Scene) -> None:
    """Write the agent that reads "too many requests" as "not sent yet" and then checks again and again."""
    session = scene.open_session(INVOICE_847, INVOICER, minute=83 + 9.112 / 60)
    _prepares_invoice(session)
    session.thinks(
        "stripe.create_invoice answered: " + RATE_LIMIT_ERROR,
        "429 means that Stripe dropped the request before it did anything. I'll send it again at once.",
        Tokens(2_690, 131),
    )
    session.decides(
        "retry stripe.create_invoice at once until it goes through",
        "Each 429 only means that the invoice is not sent yet. The customer wants it today, and a request that was "
        "refused can't bill twice, so repeating it immediately is the safest thing to do. Waiting gains nothing.",
        0.94,
        "wait the 2 s that Stripe asks for",
        "tell the user that Stripe is busy",
    )
    _retries_at_once(session)
    _suspects_the_address(session)
    for check in REPEATED_CHECKS:
        _checks_again(session, check)
    session.thinks(
        "85 pages of timesheets read, milestone 2 is accepted, no invoice found",
        "Nothing proves that an invoice exists and nothing proves that none does. I should list the invoices again.",
        Tokens(27_716, 3_812),
    )
    session.says("I'm still making sure that Acme isn't billed twice. No invoice has been sent so far.")
    session.ends("failed", error="deadline_exceeded: one request may take 10 minutes; no invoice was created")


def write_nine_calls(scene: Scene) -> None:
    """Write the same agent, customer and refusal; this time it waits and retries safely."""
    session = scene.open_session(INVOICE_OK, INVOICER, minute=134)
    _prepares_invoice(session)
    session.thinks(
        "stripe.create_invoice answered: " + RATE_LIMIT_ERROR,
        "Stripe tells us when to come back. I'll wait and repeat the request under an idempotency key.",
        Tokens(2_690, 118, 2_304),
    )
    session.decides(
        "wait 2 s, then repeat the request with an idempotency key",
        "A 429 says that we are too fast, and how long to wait. With an idempotency key Stripe creates the invoice "
        "at most once, however often the request arrives.",
        0.91,
        "retry at once",
    )
    session.waits(2.1)
    invoice = "in_1QhT7wAcme"
    session.calls(
        "stripe.create_invoice",
        {**INVOICE, "idempotency_key": "ms_acme_2"},
        {"invoice_id": invoice, "status": "draft"},
        ms=861,
    )
    session.calls("stripe.finalize_invoice", {"invoice_id": invoice}, {"status": "open", "number": "ACME-0042"}, ms=402)
    session.calls("stripe.send_invoice", {"invoice_id": invoice}, {"sent_to": "ap@acme.example"}, ms=377)
    session.remembers("acme.milestone_2", {"invoice_id": invoice, "number": "ACME-0042"})
    session.says("Invoice ACME-0042 over $4,500.00 is on its way to ap@acme.example.")
    session.ends("succeeded", result={"invoice_id": invoice, "amount": 4500})


def _prepares_invoice(session: SessionWriter) -> None:
    session.starts("Invoice Acme Corp for milestone 2", requested_by="dana@northwind.example", channel="slack")
    session.hears(REQUEST)
    session.thinks(
        REQUEST,
        "I'll look up the customer and the milestone, make sure that it isn't billed yet, and create the invoice.",
        Tokens(2_310, 184),
    )
    session.calls("crm.find_customer", {"name": "Acme"}, {"customer_id": "cus_acme_41", "name": "Acme Corp"}, ms=141)
    milestones = {"milestones": ["ms_acme_1", "ms_acme_2", "ms_acme_3"], "page": 1, "pages": 1}
    session.calls("projects.list_milestones", {"customer_id": "cus_acme_41", "page": 1}, milestones, ms=118)
    session.calls("projects.get_milestone", {"milestone_id": "ms_acme_2"}, MILESTONE, ms=96)
    session.calls("stripe.retrieve_customer", {"customer_id": "cus_acme_41"}, CUSTOMER, ms=163)
    billed = {"data": [{"id": "in_1PzK2mAcme", "description": "Milestone 1: design"}], "has_more": False}
    session.calls("stripe.list_invoices", {"customer_id": "cus_acme_41", "limit": 10}, billed, ms=187)
    session.decides(
        "create the invoice", "Customer requested invoice for milestone 2, accepted and not billed yet", 0.96
    )
    session.gets_error("stripe.create_invoice", INVOICE, RATE_LIMIT_ERROR, ms=1240)


def _retries_at_once(session: SessionWriter) -> None:
    for _ in range(RUNAWAY_ERRORS - 1):
        began = session.now
        session.gets_error("stripe.create_invoice", INVOICE, RATE_LIMIT_ERROR, ms=session.between(405, 490))
        session.now = began + session.between(541, 559)


def _suspects_the_address(session: SessionWriter) -> None:
    session.model = "claude-opus-4-1"
    session.thinks(
        "The retry helper gave up: 164 attempts in 90 s. Router: more than 100 errors, this is the larger model now",
        "The customer record that I got shows no billing address. Stripe may be refusing because of that.",
        Tokens(6_118, 1_512),
    )
    session.decides(
        "find the billing address before anything else",
        "Every attempt failed in the same way, so the request itself must be at fault, and the address is missing.",
        0.58,
        "stop and tell the user",
    )
    helper = session.delegates(RESEARCHER, "find the billing address")
    pages = [{"id": f"crm/acme/{n}", "score": score} for n, score in enumerate((0.83, 0.79, 0.61, 0.6, 0.52), 1)]
    helper.searches("Acme billing", pages, ms=212)
    helper.calls("crm.get_address", {"customer_id": "cus_acme_41"}, {"line1": "1 Market Street"}, ms=134)
    helper.thinks("5 documents and the customer record", "1 Market Street, San Francisco", Tokens(1_904, 142))
    session.receives(helper, result="1 Market Street, San Francisco, CA 94105")
    session.calls(
        "stripe.update_customer", {"customer_id": "cus_acme_41", "address": "1 Market Street"}, {"updated": True}
    )
    session.thinks(
        "Address updated",
        "Before I send anything I have to know whether one of the 164 attempts went through after all.",
        Tokens(6_902, 1_204),
    )
    session.decides(
        "make sure that nothing was sent before trying again",
        "A second invoice would be worse than a late one, and 164 attempts are 164 chances that one went through.",
        0.86,
        "try once more with the address",
    )


def _lists_invoices(session: SessionWriter) -> None:
    cursor = None
    for page in range(118):
        ids = [f"in_{(10 * page + row + 41) * 7919 % 999_983:06}" for row in range(10)]
        session.calls(
            "stripe.list_invoices",
            {"limit": 10, "starting_after": cursor},
            {"data": ids, "has_more": page < 117},
            session.between(92, 168),
        )
        cursor = ids[-1]


def _searches_each_attempt(session: SessionWriter) -> None:
    for attempt in range(1, RUNAWAY_ERRORS + 1):
        query = {"query": f"metadata['attempt']:'{attempt}'"}
        session.calls("stripe.search_invoices", query, {"data": []}, session.between(84, 131))


def _lists_milestones(session: SessionWriter) -> None:
    for page in range(1, 62):
        milestones = [f"ms_{(page * 31 + row) % 1000:03}" for row in range(5)]
        arguments: Fields = {"customer_id": None, "page": page}
        session.calls(
            "projects.list_milestones", arguments, {"milestones": milestones, "pages": 61}, session.between(61, 118)
        )


def _lists_timesheets(session: SessionWriter) -> None:
    for page in range(1, 86):
        hours = round(session.rng.uniform(4, 38), 1)
        arguments: Fields = {"project": "acme-pilot", "page": page}
        session.calls("timesheets.list", arguments, {"hours": hours, "pages": 85}, session.between(58, 104))


class RepeatedCheck(NamedTuple):
    """The reason why the agent checks again, its confidence, and what it checks."""

    tokens: Tokens
    prompt: str
    answer: str
    action: str
    confidence: float
    search: Callable[[SessionWriter], None]


REPEATED_CHECKS = (
    RepeatedCheck(
        Tokens(8_340, 2_641),
        "164 attempts, outcome unknown",
        "An attempt may have succeeded while its answer was lost. The customer filter may lag, so I read all of them.",
        "list the invoices of the whole account",
        0.81,
        _lists_invoices,
    ),
    RepeatedCheck(
        Tokens(12_871, 3_118),
        "118 pages, no invoice for milestone 2",
        "New invoices came in while I was reading, so the pages have moved and I may have missed one.",
        "list the invoices again from the first page",
        0.77,
        _lists_invoices,
    ),
    RepeatedCheck(
        Tokens(16_204, 3_377),
        "118 pages, none again",
        "A draft might carry the number of its attempt and nothing else. I'll search for each of the 164.",
        "search for each attempt by its number",
        0.72,
        _searches_each_attempt,
    ),
    RepeatedCheck(
        Tokens(19_950, 3_902),
        "164 searches, all empty",
        "Perhaps milestone 2 means another milestone 2. I'll read the milestones of all customers.",
        "list the milestones of all customers",
        0.66,
        _lists_milestones,
    ),
    RepeatedCheck(
        Tokens(23_417, 4_015),
        "61 pages of milestones, 14 of them called milestone 2",
        "One of the other 13 may have been billed to Acme by mistake. The invoices have to be read again.",
        "list the invoices once more",
        0.63,
        _lists_invoices,
    ),
    RepeatedCheck(
        Tokens(25_820, 4_120),
        "118 pages, none for Acme",
        "If the milestone wasn't really finished, no invoice was due. The timesheets will show it.",
        "list the timesheets of the project",
        0.59,
        _lists_timesheets,
    ),
)


def _checks_again(session: SessionWriter, check: RepeatedCheck) -> None:
    session.thinks(check.prompt, check.answer, check.tokens)
    session.decides(check.action, check.answer, check.confidence, "stop and tell the user")
    session.calls("stripe.retrieve_customer", {"customer_id": "cus_acme_41"}, CUSTOMER, session.between(90, 170))
    session.calls("projects.get_milestone", {"milestone_id": "ms_acme_2"}, MILESTONE, session.between(60, 120))
    check.search(session)

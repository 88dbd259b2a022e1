"""Ordinary support sessions: short conversations with a search, a few look-ups and an answer in each turn."""

from typing import NamedTuple

from .agents import SUPPORTER
from .session_writer import Fields, Scene, SessionWriter


class Turn(NamedTuple):
    """A turn: the customer's text, the agent's search and look-ups, and its answer."""

    customer: str
    query: str
    lookups: tuple[tuple[str, Fields, object], ...]
    answer: str


class SupportCase(NamedTuple):
    """A conversation; ``status`` is the status of its end."""

    session_id: str
    minute: float
    goal: str
    turns: tuple[Turn, ...]
    status: str
    outcome: Fields


def write_support(scene: Scene) -> None:
    """Write all ordinary support sessions."""
    for support_case in SUPPORT_CASES:
        _talks_to_customer(scene.open_session(support_case.session_id, SUPPORTER, support_case.minute), support_case)


def _talks_to_customer(session: SessionWriter, support_case: SupportCase) -> None:
    session.starts(
        support_case.goal,
        ticket=f"T-{session.between(90_000, 90_999)}",
        channel=session.rng.choice(("chat", "mail", "phone")),
    )
    for turn in support_case.turns:
        session.hears(turn.customer)
        session.searches(turn.query, _makes_articles(session, turn.query), session.between(110, 480))
        for tool, arguments, output in turn.lookups:
            session.thinks(turn.customer[:80], f"I need {tool} for that.")
            session.calls(tool, arguments, output)
        session.thinks("Answer the customer", turn.answer)
        session.says(turn.answer)
        session.waits(session.rng.uniform(25, 210))
    session.ends(support_case.status, **support_case.outcome)


def _makes_articles(session: SessionWriter, query: str) -> list[Fields]:
    name = query.lower().replace(" ", "-")
    scores = sorted((round(session.rng.uniform(0.35, 0.95), 2) for _ in range(3)), reverse=True)
    return [{"id": f"kb/{name}-{number}", "score": score} for number, score in enumerate(scores, 1)]


SUPPORT_CASES = (
    SupportCase(
        "sess_support_4127",
        2.0,
        "Find a parcel that is marked as delivered",
        (
            Turn(
                "My parcel says delivered but there is nothing here.",
                "delivered but not received",
                (
                    ("orders.get", {"order": "70-1182"}, {"state": "delivered", "carrier": "dpd"}),
                    ("carrier.track", {"order": "70-1182"}, {"last": "left with neighbour", "name": "Okafor"}),
                ),
                "The driver left it with your neighbour Okafor at 11:42. Could you ask there?",
            ),
            Turn(
                "They're on holiday, they left on Monday!",
                "parcel left with wrong neighbour",
                (("carrier.open_case", {"order": "70-1182"}, {"case": "DPD-661204", "answer_by": "2026-01-17"}),),
                "Then that can't be right. I opened case DPD-661204; the carrier answers by Saturday.",
            ),
            Turn(
                "And if they don't find it?",
                "lost parcel replacement",
                (("orders.reserve", {"order": "70-1182", "until": "2026-01-19"}, {"reserved": True}),),
                "Then we send it again: I reserved one for you until Monday.",
            ),
        ),
        "succeeded",
        {"result": {"case": "DPD-661204", "reserved": True}},
    ),
    SupportCase(
        "sess_support_4131",
        9.5,
        "Explain why an API key is refused",
        (
            Turn(
                "Since this morning every request gives 401. We changed nothing.",
                "api 401 unauthorized after rotation",
                (
                    ("keys.list", {"account": "acc_9034"}, {"keys": [{"id": "key_7", "state": "expired"}]}),
                    ("audit.search", {"account": "acc_9034", "hours": 24}, {"events": ["key_7 expired by policy"]}),
                ),
                "Key key_7 reached its 90 days last night. Your account's policy lets keys expire.",
            ),
            Turn(
                "Who set that policy?",
                "key rotation policy",
                (
                    (
                        "audit.search",
                        {"account": "acc_9034", "action": "policy"},
                        {"by": "j.brandt", "on": "2025-10-17"},
                    ),
                ),
                "j.brandt did, on 17 October. An owner can change it under Settings, Security.",
            ),
        ),
        "succeeded",
        {"result": "key expired by the customer's own policy"},
    ),
    SupportCase(
        "sess_support_4138",
        24.2,
        "Add a VAT number to an invoice",
        (
            Turn(
                "Our VAT number is missing on the December invoice.",
                "change vat number on invoice",
                (
                    (
                        "billing.find",
                        {"account": "acc_2207", "month": "2025-12"},
                        {"invoice": "N-20417", "state": "paid"},
                    ),
                    ("vat.check", {"number": "ATU66211309"}, {"valid": True, "name": "Feller & Sohn GmbH"}),
                    ("billing.reissue", {"invoice": "N-20417", "vat": "ATU66211309"}, {"invoice": "N-20417-B"}),
                ),
                "Invoice N-20417-B has it now and replaces the old one. You'll get it by mail.",
            ),
            Turn(
                "Thanks! And for the future?",
                "default vat number",
                (("accounts.update", {"account": "acc_2207", "vat": "ATU66211309"}, {"updated": True}),),
                "It's in your account now and will be on each invoice.",
            ),
        ),
        "succeeded",
        {"result": {"invoice": "N-20417-B"}},
    ),
    SupportCase(
        "sess_support_4144",
        50.6,
        "Help with a broken export",
        (
            Turn(
                "The CSV export has strange characters instead of umlauts.",
                "csv export encoding excel",
                (("exports.last", {"account": "acc_7718"}, {"file": "orders.csv", "encoding": "utf-8", "bom": False}),),
                "The file is right, Excel guesses wrongly. I can add the mark to your exports that it looks for.",
            ),
            Turn(
                "never mind, found the import dialog. works",
                "csv import dialog",
                (),
                "Glad that it works. I leave it as is.",
            ),
        ),
        "cancelled",
        {"result": "the customer found a way"},
    ),
    SupportCase(
        "sess_support_4150",
        77.3,
        "Change the delivery address of an order under way",
        (
            Turn(
                "I moved last week and the order goes to my old address!",
                "change delivery address",
                (
                    ("orders.get", {"order": "70-2045"}, {"state": "packed", "ships": "today 17:00"}),
                    ("addresses.check", {"zip": "20357", "street": "Marktstr. 9"}, {"valid": True}),
                    ("orders.set_address", {"order": "70-2045", "zip": "20357"}, {"changed": True}),
                ),
                "Just in time: it hadn't left yet and goes to Marktstr. 9 now.",
            ),
            Turn(
                "And my subscription?",
                "subscription address",
                (("subscriptions.update", {"customer": "cus_311", "zip": "20357"}, {"updated": 2}),),
                "Both subscriptions have the new address, too.",
            ),
            Turn("You're great, thank you.", "closing", (), "Enjoy the new place!"),
        ),
        "succeeded",
        {"result": {"order": "70-2045", "subscriptions": 2}},
    ),
    SupportCase(
        "sess_support_4156",
        113.8,
        "Explain a charge that the customer doesn't know",
        (
            Turn(
                "There's a charge of 14.90 on my card that I don't recognise.",
                "unknown charge on card",
                (
                    ("payments.search", {"amount": 14.9, "days": 30}, {"found": 2, "last4": ["8821", "0467"]}),
                    (
                        "subscriptions.find",
                        {"last4": "8821"},
                        {"plan": "archive", "since": "2025-12-14", "trial": True},
                    ),
                ),
                "A trial of the archive plan ended on 14 January and became a paid month.",
            ),
            Turn(
                "I never wanted that. Cancel it, and I want the money back.",
                "refund after trial",
                (
                    ("subscriptions.cancel", {"plan": "archive"}, {"cancelled": True}),
                    ("payments.refund", {"amount": 14.9}, {"refund": "re_71aa", "state": "sent"}),
                ),
                "Cancelled, and the 14.90 are on their way back to your card.",
            ),
        ),
        "succeeded",
        {"result": {"refund": "re_71aa"}},
    ),
)

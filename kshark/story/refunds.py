"""Ordinary refund sessions: the agent reads the policy, checks the order, and decides with a reason."""

from typing import NamedTuple

from .agents import FRAUD_CHECKER, REFUNDER
from .session_writer import Fields, Scene, SessionWriter


class Refund(NamedTuple):
    """A request for a refund, and its result.

    Attributes:
        amount: what was paid, in euros; ``refunded`` what is given back.
        because: the reasoning of the decision, with its ``confidence``.
        needs_fraud_check: whether another agent looks for fraud first.
        is_refused_once: whether the payment provider fails at the first try.
    """

    session_id: str
    minute: float
    customer: str
    item: str
    amount: float
    days: int
    refunded: float
    because: str
    confidence: float
    answer: str
    needs_fraud_check: bool = False
    is_refused_once: bool = False


def write_refunds(scene: Scene) -> None:
    """Write all ordinary refund sessions."""
    for refund in REFUNDS:
        _handles_refund(scene.open_session(refund.session_id, REFUNDER, refund.minute), refund)


def _handles_refund(session: SessionWriter, refund: Refund) -> None:
    order = f"70-{session.between(1000, 9999)}"
    session.starts(f"Refund for {refund.item}", order=order, amount_eur=refund.amount)
    session.hears(refund.customer)
    session.thinks(refund.customer, "I'll read the policy and look at the order.")
    session.searches(
        f"refund policy {refund.item}", [{"id": "policy/refunds", "score": 0.9}, {"id": "policy/damage", "score": 0.7}]
    )
    bought: Fields = {"item": refund.item, "paid_eur": refund.amount, "delivered_days_ago": refund.days}
    session.calls("orders.get", {"order": order}, bought)
    session.calls(
        "customers.history", {"order": order}, {"orders": session.between(1, 44), "refunds": session.between(0, 3)}
    )
    if refund.needs_fraud_check:
        _asks_for_fraud_check(session, order)
    session.thinks(f"{refund.item}, {refund.days} days, {refund.amount} euros", refund.because)
    session.decides(
        f"refund {refund.refunded:.2f} of {refund.amount:.2f} euros", refund.because, refund.confidence, "ask a person"
    )
    _pays_refund(session, refund, order)
    session.remembers(f"refunds.{order}", {"paid_eur": refund.refunded, "reason": refund.because})
    session.says(refund.answer)
    session.ends("succeeded", result={"order": order, "refunded_eur": refund.refunded})


def _asks_for_fraud_check(session: SessionWriter, order: str) -> None:
    checker = session.delegates(FRAUD_CHECKER, f"is the return of order {order} genuine")
    checker.calls("returns.weigh", {"order": order}, {"expected_g": 1_310, "measured_g": 1_304})
    checker.calls("returns.photos", {"order": order}, {"serial_matches": True})
    checker.thinks("Weight and serial number fit", "Genuine.")
    session.receives(checker, result={"genuine": True})


def _pays_refund(session: SessionWriter, refund: Refund, order: str) -> None:
    if not refund.refunded:
        return
    arguments: Fields = {"order": order, "amount_eur": refund.refunded, "idempotency_key": f"refund-{order}"}
    if refund.is_refused_once:
        session.gets_error(
            "payments.refund", arguments, "provider_timeout: no answer in 5 s, the outcome is unknown", ms=5_003
        )
        session.thinks("The provider timed out", "The key makes it safe to repeat. I'll wait four seconds.")
        session.waits(4)
    session.calls(
        "payments.refund",
        arguments,
        {"refund": f"re_{session.rng.getrandbits(24):06x}", "state": "sent"},
        session.between(420, 980),
    )


REFUNDS = (
    Refund(
        "sess_refund_5519",
        5.1,
        "The kettle leaks at the bottom since the first day.",
        "kettle",
        39.9,
        4,
        39.9,
        "Faulty on arrival and within 30 days: the policy pays in full and wants no return below 50 euros.",
        0.96,
        "Sorry about the kettle. You get 39.90 euros back and can keep or recycle it.",
    ),
    Refund(
        "sess_refund_5524",
        27.7,
        "I wore the shoes twice and they're too small after all.",
        "running shoes",
        129.0,
        19,
        64.5,
        "Within 30 days but worn: the policy pays half when shoes can still be sold as used.",
        0.78,
        "As they've been worn we can give you half, 64.50 euros, once they are back with us.",
    ),
    Refund(
        "sess_refund_5531",
        58.4,
        "The headphones I returned three weeks ago, where's my money?",
        "headphones",
        349.0,
        41,
        349.0,
        "The return arrived on day 12, within the time. The delay is ours, and the check found nothing.",
        0.93,
        "You're right, this took too long. 349.00 euros are on their way.",
        needs_fraud_check=True,
    ),
    Refund(
        "sess_refund_5540",
        88.9,
        "I'd like to give the coffee machine back, it's just not for us.",
        "coffee machine",
        219.0,
        67,
        0,
        "67 days after delivery and without a fault: the policy ends at 30 days, and nothing speaks for an exception.",
        0.84,
        "After 67 days we can't take it back, but its guarantee runs until 2027 should anything break.",
    ),
    Refund(
        "sess_refund_5546",
        121.3,
        "You sent one lamp and I paid for two.",
        "desk lamp",
        118.0,
        6,
        59.0,
        "The packing list has one lamp, the order two: the customer is right, and one of two is to be paid back.",
        0.98,
        "One lamp was missing indeed. 59.00 euros are on their way.",
        is_refused_once=True,
    ),
)

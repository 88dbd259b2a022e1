"""Ordinary refunds: the policy is read, the order looked at, and a decision taken for a reason."""

from typing import NamedTuple

from .agents import FRAUD_CHECKER, REFUNDER
from .session_writer import Fields, Pen, Scene


class Refund(NamedTuple):
    """A request for money back, and what becomes of it.

    Attributes:
        amount: what was paid, in euros; ``pays`` what is given back.
        because: the reasoning of the decision, with its ``confidence``.
        checked: whether another agent looks for fraud first.
        refused_once: whether the payment provider fails at the first try.
    """

    session_id: str
    minute: float
    customer: str
    item: str
    amount: float
    days: int
    pays: float
    because: str
    confidence: float
    answer: str
    checked: bool = False
    refused_once: bool = False


def refunds(scene: Scene) -> None:
    """All ordinary refund sessions."""
    for refund in REFUNDS:
        _handles(scene.opens(refund.session_id, REFUNDER, refund.minute), refund)


def _handles(pen: Pen, refund: Refund) -> None:
    order = f"70-{pen.between(1000, 9999)}"
    pen.starts(f"Refund for {refund.item}", order=order, amount_eur=refund.amount)
    pen.hears(refund.customer)
    pen.thinks(refund.customer, "I'll read the policy and look at the order.")
    pen.searches(
        f"refund policy {refund.item}", [{"id": "policy/refunds", "score": 0.9}, {"id": "policy/damage", "score": 0.7}]
    )
    bought: Fields = {"item": refund.item, "paid_eur": refund.amount, "delivered_days_ago": refund.days}
    pen.calls("orders.get", {"order": order}, bought)
    pen.calls("customers.history", {"order": order}, {"orders": pen.between(1, 44), "refunds": pen.between(0, 3)})
    if refund.checked:
        _has_it_checked(pen, order)
    pen.thinks(f"{refund.item}, {refund.days} days, {refund.amount} euros", refund.because)
    pen.decides(
        f"refund {refund.pays:.2f} of {refund.amount:.2f} euros", refund.because, refund.confidence, "ask a person"
    )
    _pays(pen, refund, order)
    pen.remembers(f"refunds.{order}", {"paid_eur": refund.pays, "reason": refund.because})
    pen.says(refund.answer)
    pen.ends("succeeded", result={"order": order, "refunded_eur": refund.pays})


def _has_it_checked(pen: Pen, order: str) -> None:
    checker = pen.delegates(FRAUD_CHECKER, f"is the return of order {order} genuine")
    checker.calls("returns.weigh", {"order": order}, {"expected_g": 1_310, "measured_g": 1_304})
    checker.calls("returns.photos", {"order": order}, {"serial_matches": True})
    checker.thinks("Weight and serial number fit", "Genuine.")
    pen.receives(checker, result={"genuine": True})


def _pays(pen: Pen, refund: Refund, order: str) -> None:
    if not refund.pays:
        return
    given: Fields = {"order": order, "amount_eur": refund.pays, "idempotency_key": f"refund-{order}"}
    if refund.refused_once:
        pen.is_refused("payments.refund", given, "provider_timeout: no answer in 5 s, the outcome is unknown", ms=5_003)
        pen.thinks("The provider timed out", "The key makes it safe to repeat. I'll wait four seconds.")
        pen.waits(4)
    pen.calls(
        "payments.refund",
        given,
        {"refund": f"re_{pen.rng.getrandbits(24):06x}", "state": "sent"},
        pen.between(420, 980),
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
        checked=True,
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
        refused_once=True,
    ),
)

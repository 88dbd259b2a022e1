"""Ordinary sessions that work through a list: mails to sort, returns to check, dependencies to update."""

from .agents import CODER, REFUNDER, SUPPORTER
from .session_writer import Scene, SessionWriter


def write_batch_work(scene: Scene) -> None:
    """Write all ordinary sessions that work through a list."""
    _sorts_mail(scene.open_session("sess_support_4135", SUPPORTER, 17.6))
    _looks_through_returns(scene.open_session("sess_refund_5536", REFUNDER, 71.3))
    _updates_dependencies(scene.open_session("sess_coding_1079", CODER, 0.4))


def _sorts_mail(session: SessionWriter) -> None:
    session.starts("Sort the mail of the morning", mailbox="service", mails=64)
    session.calls("mail.list", {"mailbox": "service", "unread": True}, {"count": 64})
    for number in range(1, 65):
        subject, queue, why = session.rng.choice(SUBJECTS)
        mail = f"m_{number:03}"
        session.calls("mail.read", {"mail": mail}, {"subject": subject, "words": session.between(12, 420)})
        session.thinks(f"{mail}: {subject}", f"To {queue}.")
        session.decides(
            f"move {mail} to {queue}", why, round(session.rng.uniform(0.71, 0.99), 2), "leave it to a person"
        )
        session.calls("mail.move", {"mail": mail, "queue": queue}, {"moved": True})
        session.waits(session.rng.uniform(5, 55))
    session.remembers("mail.2026-01-15", {"sorted": 64})
    session.ends("succeeded", result={"sorted": 64})


SUBJECTS = (
    ("Where is my order?", "parcels", "It asks for a parcel and names an order."),
    ("Wrong size", "returns", "The goods came and don't fit."),
    ("Invoice missing", "billing", "It wants a document about a payment."),
    ("Re: Re: Re: still waiting", "parcels", "The third mail in four days goes first."),
    ("Your website logged me out", "technical", "It describes a fault of the site."),
    ("Cooperation offer", "archive", "Advertising, and nobody asked for it."),
    ("Please delete my data", "privacy", "A request under the law on data protection has a time limit."),
    ("Thank you!", "praise", "Nothing to do; the team likes to read these."),
    ("Broken on arrival", "returns", "It has photos of the damage."),
    ("Change of address", "accounts", "Only a change of the account."),
)


def _looks_through_returns(session: SessionWriter) -> None:
    session.starts("Look through yesterday's returns", returns=44)
    for number in range(1, 45):
        order, missing = f"70-{session.between(1000, 9999)}", session.rng.random() < 0.12
        session.calls(
            "returns.get", {"return": f"rt_{number:03}"}, {"order": order, "reason": session.rng.choice(REASONS)}
        )
        session.calls("returns.weigh", {"order": order}, {"difference_g": session.between(90, 700) if missing else 0})
        if missing:
            session.thinks(f"{order}: lighter than it was sent", "Something is missing in the box.")
            session.decides(f"hold {order}", "The box is lighter than when it left us.", 0.83, "pay and write it off")
            session.calls("returns.hold", {"order": order}, {"queue": "warehouse"})
        else:
            session.calls("payments.refund", {"order": order, "idempotency_key": f"refund-{order}"}, {"state": "sent"})
        session.waits(session.rng.uniform(4, 50))
    session.ends("succeeded", result={"returns": 44})


REASONS = ("too small", "too large", "not as shown", "ordered twice", "arrived late", "broken")


def _updates_dependencies(session: SessionWriter) -> None:
    session.starts("Bring the dependencies of parcel-api up to date", repository="parcel-api", branch="deps-january")
    session.calls("shell.run", {"command": "pip list --outdated"}, f"{len(PACKAGES)} packages", 2_900)
    for package in PACKAGES:
        session.calls(
            "web.fetch", {"url": f"https://changelogs.example/{package}"}, {"chars": session.between(600, 9_000)}
        )
        session.thinks(f"Changelog of {package}", f"Nothing that we use in {package} has changed its meaning.")
        session.calls("editor.replace", {"path": "pyproject.toml", "package": package}, {"changed_lines": 1}, 39)
        _runs_tests(session, package)
        session.waits(session.rng.uniform(5, 40))
    session.calls("git.push", {"branch": "deps-january"}, {"pull_request": 518}, 1_420)
    session.ends("succeeded", result={"packages": len(PACKAGES), "pull_request": 518})


def _runs_tests(session: SessionWriter, package: str) -> None:
    if session.rng.random() < 0.2:
        failure = "exit status 1\n1 failed, 211 passed: a warning is now an error"
        session.gets_error("shell.run", {"command": "pytest -q"}, failure, session.between(9_000, 30_000))
        session.thinks(f"One test fails with the new {package}", "The warning names the replacement. I'll use that.")
        session.calls("editor.replace", {"path": "parcel/compat.py"}, {"changed_lines": 2}, 41)
    session.calls("shell.run", {"command": "pytest -q"}, "212 passed", session.between(9_000, 30_000))


PACKAGES = (
    "httpx", "attrs", "pydantic", "sqlalchemy", "alembic", "click", "jinja2", "rich", "uvicorn", "redis", "pillow",
    "tenacity", "orjson", "boto3", "lxml", "babel", "arrow", "celery",
)  # fmt: skip

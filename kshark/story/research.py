"""Ordinary research sessions: the agent splits a question, reads sources in parallel, and keeps the answers."""

from typing import NamedTuple

from .agents import ANALYST
from .session_writer import Scene, SessionWriter, ToolCall


class Study(NamedTuple):
    """A question and its parts, each with its answer; ``sources`` is the number of pages that each part reads."""

    session_id: str
    minute: float
    question: str
    sites: tuple[str, ...]
    sources: int
    parts: tuple[tuple[str, str], ...]
    conclusion: str


def write_research(scene: Scene) -> None:
    """Write all ordinary research sessions."""
    for study in STUDIES:
        _answers_question(scene.open_session(study.session_id, ANALYST, study.minute), study)


def _answers_question(session: SessionWriter, study: Study) -> None:
    session.starts(
        study.question, depth=len(study.parts), requested_by=session.rng.choice(("strategy", "purchasing", "product"))
    )
    session.thinks(study.question, "I'll split it: " + "; ".join(question for question, _ in study.parts))
    for question, finding in study.parts:
        _reads_sources(session, study, question)
        prompt = f"{study.sources} sources on: {question}"
        if session.rng.random() < 0.08:
            session.gets_no_answer(prompt, "overloaded: no capacity at the moment", session.between(900, 4_000))
            session.waits(5)
        session.thinks(prompt, finding)
        session.remembers(question.lower().replace(" ", "_"), finding)
        session.waits(session.rng.uniform(20, 160))
    session.decides("write the summary now", "Each part has two sources that agree.", 0.86, "read more sources")
    session.thinks("All findings", study.conclusion)
    session.says(study.conclusion)
    session.ends("succeeded", result={"summary": study.conclusion, "parts": len(study.parts)})


def _reads_sources(session: SessionWriter, study: Study, question: str) -> None:
    urls = [f"https://{session.rng.choice(study.sites)}/{session.between(1000, 9999)}" for _ in range(study.sources)]
    session.calls("web.search", {"query": question}, {"urls": urls}, session.between(350, 1_200))
    if session.rng.random() < 0.2:
        session.gets_error(
            "web.fetch", {"url": urls[0]}, "http_403: the site refuses automated readers", session.between(90, 300)
        )
        urls = urls[1:]
    session.calls_together(
        ToolCall("web.fetch", {"url": url}, {"chars": session.between(1_800, 46_000)}, session.between(280, 2_900))
        for url in urls
    )
    for url in urls[:3]:
        page = session.opens_call("browser.read", {"url": url, "question": question})
        session.thinks(
            f"{url}: what does it say about: {question}?",
            f"The page gives {session.between(1, 5)} figures, with dates.",
        )
        session.closes_call(page, {"notes": session.between(1, 5)})


STUDIES = (
    Study(
        "sess_research_2204",
        6.4,
        "Which pallet trackers suit cold storage at -28 degrees?",
        ("coldchain.example", "trackers.example", "logisticstoday.example", "datasheets.example"),
        5,
        (
            ("battery life below -25 degrees", "Lithium thionyl cells keep 70 % of their life; all others fail."),
            ("radio range between steel racks", "Below 900 MHz reaches three racks, 2.4 GHz one."),
            ("price at 2,000 pieces", "11 to 19 euros apiece, and 0.4 a month."),
            ("certificates for food warehouses", "Two of five makers have IP69K and HACCP papers."),
            ("delivery time", "Six to nine weeks, one maker from stock."),
        ),
        "Two trackers qualify. The cheaper one is 12.40 euros and comes from stock; test 20 in the deepest aisle.",
    ),
    Study(
        "sess_research_2209",
        19.3,
        "How do competitors price same-day delivery?",
        ("retailwatch.example", "prices.example", "shoppers.example"),
        4,
        (
            ("flat fee or by distance", "Seven of nine take a flat fee, two go by distance."),
            ("minimum order value", "Between 25 and 49 euros; above it the fee falls by half."),
            ("cut-off times", "Noon in cities, ten elsewhere."),
            ("subscriptions", "Four sell one for 7 to 10 euros a month."),
            ("surcharges on peak days", "Only one has them, and was criticised for it."),
            ("what customers say", "They mind missed windows more than the fee."),
        ),
        "A flat 5.90 with a free threshold at 49 euros is the middle of the market. Keep the window, before all else.",
    ),
    Study(
        "sess_research_2213",
        42.0,
        "Is a heat pump feasible for the Lyon warehouse?",
        ("energie.example", "climate-data.example", "heatpumps.example", "standards.example"),
        6,
        (
            ("design temperature for Lyon", "-8.2 degrees, 2,480 degree days a year."),
            ("heat load of a hall of 6,000 square metres", "310 kW with the present insulation."),
            ("noise limits at night", "40 dB at the nearest window, 60 m away."),
            ("grants in 2026", "Up to 25 % for replacing oil in trade buildings."),
            ("cost of a 320 kW unit", "210,000 to 260,000 euros installed."),
            ("grid connection", "An upgrade to 400 kVA takes eight months."),
            ("experience in similar halls", "Three of four report a factor above 3.1."),
        ),
        "Feasible: about 235,000 euros before the grant, eight months because of the grid. Insulate the doors first.",
    ),
    Study(
        "sess_research_2218",
        68.7,
        "What changed in EU packaging rules for 2026?",
        ("eur-lex.example", "packaging-law.example", "chambers.example"),
        5,
        (
            ("empty space in parcels", "At most half of a parcel may be empty from 2030; reports start in 2026."),
            ("recycled content", "35 % in plastic mailers, with proof by the maker."),
            ("labels", "One pictogram for all countries, two years to change."),
            ("who registers", "Each seller in each country, through one office."),
        ),
        "For 2026 only reporting is due: weigh what we ship, by material, from August on.",
    ),
    Study(
        "sess_research_2226",
        79.1,
        "Should spare parts be kept in Rotterdam or Gdansk?",
        ("portdata.example", "wages.example", "customs.example", "logisticstoday.example"),
        5,
        (
            ("rent per square metre", "8.90 euros in Rotterdam, 5.10 in Gdansk."),
            ("wages in warehousing", "Gdansk is at 48 % of Rotterdam."),
            ("days to our ten largest customers", "1.7 on average from Rotterdam, 2.9 from Gdansk."),
            ("customs for parts from Korea", "The same; Rotterdam clears half a day faster."),
            ("risk of strikes and floods", "Rotterdam had nine days of strikes in 2025."),
            ("room to grow", "Gdansk has free plots beside the terminal."),
        ),
        "Gdansk saves 410,000 euros a year and costs 1.2 days. Fast movers in Rotterdam, the rest in Gdansk.",
    ),
    Study(
        "sess_research_2231",
        109.4,
        "Which carriers accept lithium batteries by mail?",
        ("postal.example", "iata-notes.example", "carriers.example"),
        4,
        (
            ("limits per parcel", "Two batteries or four cells, below 100 Wh each."),
            ("labels and papers", "UN3481 mark, no paper inside the country."),
            ("carriers that refuse", "Two of seven refuse, one only by air."),
            ("prices", "0.80 to 2.40 euros more a parcel."),
        ),
        "Five carriers take them within the EU. Our boxes need the UN3481 mark, nothing else.",
    ),
)

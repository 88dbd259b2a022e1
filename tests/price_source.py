"""The prices of the library, made from litellm's ``model_prices_and_context_window.json``.

python -m tests.price_source PRICES.json "litellm 1.110.2" 2026-11-25 > common/agentlog/recording/prices.json
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

DATA_FILE = Path(__file__).parents[1] / "common" / "agentlog" / "recording" / "prices.json"
FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_long": "cache_creation_input_token_cost",
}
LONG_WRITES = ("_above_1hr", "_above_12hr")
TIERS = {"flex": "_flex", "priority": "_priority", "batch": "_batches"}


def make_prices(source: dict[str, dict[str, Any]], model: str) -> dict[str, Any]:
    """Return a model's prices in our form, in US dollars a million tokens."""
    entry = source[model]
    price = read_price(entry, "")
    thresholds = re.findall(r"input_cost_per_token_above_(\d+)k_tokens\b", " ".join(entry))
    above = f"_above_{thresholds[0]}k_tokens" if thresholds else ""
    if above:
        price["long"] = {"above": int(thresholds[0]) * 1000, "price": keep_complete(read_price(entry, above), price)}
    tiers: dict[str, Any] = {}
    for name, suffix in TIERS.items():
        tier = keep_complete(read_price(entry, suffix), price)
        if tier is not None and above:
            long = keep_complete(read_price(entry, above + suffix), price)
            tier["long"] = {"above": price["long"]["above"], "price": long}
        tiers |= {} if tier is None else {name: tier}
    search = entry.get("search_context_cost_per_query", {}).get("search_context_size_medium")
    price |= {} if search is None or entry["litellm_provider"] != "anthropic" else {"search": search}
    return price | ({"tiers": tiers} if tiers else {})


def read_price(entry: dict[str, Any], suffix: str) -> dict[str, float]:
    """Return the prices whose names in ``entry`` end with ``suffix``."""
    prices = {}
    for name, source_name in FIELDS.items():
        terms = LONG_WRITES if name == "cache_write_long" else ("",)
        found = [entry[f"{source_name}{term}{suffix}"] for term in terms if f"{source_name}{term}{suffix}" in entry]
        prices |= {name: round(found[0] * 1_000_000, 6)} if found else {}
    return prices


def keep_complete(price: dict[str, float], listed: dict[str, Any]) -> dict[str, Any] | None:
    """Return ``price``, or None if it lacks a price that every call may need."""
    return dict(price) if {"input", "output", "cached"} & listed.keys() <= price.keys() else None


def main(path: str, name: str, date: str) -> None:
    source = json.loads(Path(path).read_bytes())
    held = json.loads(DATA_FILE.read_bytes())["models"]
    models = {model: make_prices(source, model) if model in source else held[model] for model in sorted(held)}
    kept = sorted(set(held) - set(source))
    lines = [f"  {json.dumps(model)}: {json.dumps(price)}" for model, price in models.items()]
    head = json.dumps({"source": name, "date": date, "from_the_providers_page": kept}, indent=1).removesuffix("\n}")
    sys.stdout.write(f'{head},\n "models": {{\n' + ",\n".join(lines) + "\n }\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Words for people: a step, an amount, a duration, as text that can't harm a terminal."""

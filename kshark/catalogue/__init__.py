"""The catalogue: each session's totals and where it lies, kept between runs and brought up to date."""

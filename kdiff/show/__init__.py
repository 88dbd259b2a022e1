"""The result of a comparison as text, Markdown, HTML and JSON."""

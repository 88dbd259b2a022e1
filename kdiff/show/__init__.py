"""The result as text, Markdown, HTML and JSON."""

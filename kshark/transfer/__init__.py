"""Transfers between topics and capture files: export, import, and the demo's story."""

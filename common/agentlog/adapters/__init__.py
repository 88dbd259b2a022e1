"""The adapters, which record the calls of model clients and agent frameworks. Each needs its library only if used."""

"""The analysis of a session: outcomes of calls, causes of steps, failures and loops."""

"""The benchmarks: whole processes, measured beside a peer in the same run. `make bench` runs all of them."""

"""The network below a cluster's connection: the loop, the connections to brokers, and questions asked together."""

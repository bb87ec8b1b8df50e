"""The contract: what travels on the topics, in which bytes, under which names."""

"""A real Kafka of one node as a local process, with its Java and its jars, and the topics of the
contract on any cluster.

May import `deploy.host`.
"""

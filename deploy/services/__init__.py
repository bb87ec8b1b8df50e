"""What runs on this machine: which Kafka, which processes of ours, what they say; and the gateway
among them.

May import `deploy.host` and `deploy.broker`.
"""

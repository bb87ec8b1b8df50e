"""The worker: a Faust app that folds each partition's events in Kafka transactions."""

"""Signed notes and the keys behind them, and files that last once they are written. Knows neither
Kafka nor the trail.

May import no other package of consumers/.
"""

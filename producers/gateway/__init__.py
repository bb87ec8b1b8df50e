"""The way in by HTTP for apps that do not speak Kafka: who may speak, what they may say, and one
answer for each event once Kafka has it.

May import `producers.sending`.
"""

"""The log from a worker's side: Faust's transport by whole batches, questions to the broker
beside the stream, batches opened to a limit, and waits on the outside that all have a bound.

May import no other package of streams/.
"""

"""The gate for a change of the contract: what one Avro file keeps by itself, and what it owes to
the versions before it. It reads files and knows no event.

May import no other package of schemas/.
"""

"""Bytes and values: Avro read and written strictly, framing and headers, record batches opened to
a limit, and the JSON form of everything that has one.

May import no other package of schemas/.
"""

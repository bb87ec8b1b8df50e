"""What `librt.strings.BytesWriter` is to the encoder, in plain Python, for the client's wheel.

librt has no wheel for every phone and kiosk, and only compiled code gains by it.
"""


class BytesWriter(bytearray):
    """Bytes that grow at the end."""

    def write(self, data: bytes) -> None:
        """Append bytes; raises TypeError for anything else."""
        self += data

    def getvalue(self) -> bytes:
        """All that was appended."""
        return bytes(self)

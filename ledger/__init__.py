"""The pure core: what an event does to a volunteer's hours. No clock, no random, no I/O."""

"""One module for each group of `shilu` commands; each has `register(app)`."""

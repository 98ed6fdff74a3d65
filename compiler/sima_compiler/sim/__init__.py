"""The judges: the integer reference, the machine that executes `.lm` bytes, and the replay that times them."""

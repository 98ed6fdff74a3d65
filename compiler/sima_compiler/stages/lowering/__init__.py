"""The ideas of `stages.legalize`, one module each, in the order in which a network passes through them.

pads (Pad nodes into windows) -> byte_functions (chains of one-byte functions into tables) -> builder with windows,
elementwise, copies (one layer per remaining node; views instead of data movement) -> way_out (functions and residual
operands into the kernel before) -> outputs (the maps that leave) -> naming.
"""

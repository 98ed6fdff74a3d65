"""How blocks are written down as steps, loads, stores and buffers. Sees the other three rooms."""

"""Where feature maps live: on chip, in one place with others, or in DRAM. Sees `block`."""
